"""A stock Celery client fills the queues, our worker empties them."""

from __future__ import annotations

import json
import time
from types import ModuleType
from typing import Any

import pytest
from fleet import LIB
from processes import Project
from redis import Redis
from waiting import until

from flaskiq.store.store import Store

CLIENT = "import sys; sys.path.insert(0, {lib!r}); from stock import *\n"


def call(project: Project, code: str) -> str:
    """Run code with the stock application, in a process that never loads Flaskiq."""
    check = "\nassert not [name for name in sys.modules if name.startswith('flaskiq')]"
    return project.python(CLIENT.format(lib=LIB) + code + check)


def test_its_jobs_run_and_it_reads_their_results(
    project: Project, keep_worker: Any, sample: ModuleType
) -> None:
    keep_worker()
    printed = call(
        project,
        "print(add.delay(1, 2).get(timeout=20))\n"
        "print(app.send_task('sample.Add', (3, 4), queue='low').get(timeout=20))\n"
        "print(plain.apply_async(('x',), priority=9).get(timeout=20))",
    )
    assert printed.splitlines() == ["3", "7", "['x', 'sample', 'sample.plain']"]


def test_its_canvas_runs(project: Project, keep_worker: Any, sample: ModuleType) -> None:
    keep_worker()
    printed = call(
        project,
        "from celery import chain, chord, group\n"
        "print(chain(add.s(1, 2), add.s(10)).delay().get(timeout=20))\n"
        "print(group(add.s(n, n) for n in range(3)).delay().get(timeout=20))\n"
        "print(chord([add.s(1, 1), add.s(2, 2)], total.s()).delay().get(timeout=20))",
    )
    assert printed.splitlines() == ["13", "[0, 2, 4]", "6"]


def test_an_idle_worker_finds_its_job_within_about_a_second(
    project: Project, keep_worker: Any, sample: ModuleType
) -> None:
    keep_worker()
    printed = call(
        project,
        "import time\n"
        "for n in range(4):\n"
        "    time.sleep(0.2); start = time.time(); add.delay(n, 1).get(timeout=20)\n"
        "    print(time.time() - start)",
    )
    assert max(map(float, printed.splitlines())) < 1.5


def test_its_job_for_later_waits_in_redis(
    project: Project, keep_worker: Any, sample: ModuleType, jobs: Store, store: Redis
) -> None:
    """A stock client puts it onto the list, whatever its time: the worker puts it away."""
    keep_worker()
    hour = call(project, "print(add.apply_async((1, 1), countdown=3600).id)")
    start = time.time()
    soon = call(project, "print(add.apply_async((2, 2), countdown=3).id)")
    entry = until(lambda: jobs.scheduled.find(hour), "it waits in the scheduled set")
    assert entry.at == pytest.approx(start + 3600, abs=30)
    assert entry.placed.queue == "default"
    result = sample.celery_app.AsyncResult(soon)
    assert result.get(timeout=20) == 4
    assert time.time() - start > 2.5
    assert sample.celery_app.AsyncResult(hour).status == "PENDING"
    assert store.llen("default") == 0
    assert jobs.scheduled.reschedule(hour, time.time())
    assert sample.celery_app.AsyncResult(hour).get(timeout=20) == 2
    until(lambda: not any(map(jobs.processes.inflight, jobs.processes.live())), "not in flight")


@pytest.mark.parametrize("pool", ["threads"])
def test_a_time_that_nobody_can_read_ends_no_worker(
    start_worker: Any, sample: ModuleType, store: Redis, jobs: Store
) -> None:
    sample.Add.perform_async(1, 1)
    envelope = json.loads(store.rpop("default"))
    for eta in ("soon", 42):
        envelope["headers"]["eta"] = eta
        store.lpush("default", json.dumps(envelope))
    worker = start_worker()
    assert sample.Add.perform_async(1, 2).get(timeout=20) == 3
    assert "invalid ETA value" in worker.output
    until(lambda: not any(map(jobs.processes.inflight, jobs.processes.live())), "not in flight")


def test_its_revoke_is_obeyed(
    project: Project, keep_worker: Any, sample: ModuleType, jobs: Store
) -> None:
    keep_worker()
    later = sample.Add.perform_in(3600, 1, 1)
    call(project, f"app.control.revoke({later.id!r}, reply=True, timeout=3)")
    assert jobs.scheduled.find(later.id) is None
    assert later.status == "REVOKED"
