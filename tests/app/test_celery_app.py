"""celery_app.py under the stock `celery` program."""

from __future__ import annotations

from processes import Process, Project

NAMES = {
    "workers.data_processing_worker.DataProcessingWorker",
    "workers.health_check_worker.HealthCheckWorker",
    "workers.idempotent_worker.IdempotentWorker",
    "workers.resource_aware_worker.ResourceAwareWorker",
}


def test_the_celery_program_finds_the_app_and_all_workers(worker: Process) -> None:
    for name in NAMES:
        assert name in worker.output


def test_its_queues_and_limits_are_in_force(reference: Project) -> None:
    printed = reference.python("""
from celery_app import celery_app as app
print([queue.name for queue in app.conf.task_queues])
print(app.conf.task_soft_time_limit, app.conf.task_time_limit, app.conf.result_expires)
print(sorted(app.conf.beat_schedule))
""")
    assert printed.splitlines() == [
        "['critical', 'default', 'low']",
        "1500 1800 86400",
        "['workers.health_check_worker.HealthCheckWorker']",
    ]


def test_a_module_of_workers_may_import_it(reference: Project) -> None:
    """Whatever is imported first: the module itself, the web side or the app."""
    reference.write(
        "workers/functions.py",
        "from celery_app import celery_app\n"
        "@celery_app.task\ndef double(number):\n    return 2 * number\n",
    )
    for first in ("workers.functions", "server", "celery_app", "workers.data_processing_worker"):
        printed = reference.python(
            f"import {first}\nfrom celery_app import celery_app\n"
            "print(*(name for name in celery_app.tasks if name.startswith('workers.')))"
        )
        assert set(printed.split()) == NAMES | {"workers.functions.double"}, first


def test_it_does_not_need_the_web_side(reference: Project) -> None:
    printed = reference.python("import sys, celery_app\nprint('server' in sys.modules)")
    assert printed == "False"
