"""Finding and registering Workers, by starting the programs that a person starts."""

from __future__ import annotations

import pytest
import redis
from processes import Project
from waiting import until

APP = """
from flask import Flask
from flaskiq import Flaskiq, WorkerRegistry

flask_app = Flask(__name__)
flaskiq = Flaskiq(flask_app)
celery_app = flaskiq.celery
WorkerRegistry.initialize()
"""

WORKER = """
from flaskiq import Worker

class {name}(Worker):
    @classmethod
    def perform(cls, word: str) -> str:
        return "{name} " + word
"""


@pytest.fixture
def app(project: Project) -> Project:
    project.write("celery_app.py", APP)
    project.write("workers/__init__.py", "")
    return project


def test_plain_celery_runs_every_worker_below_the_package(app: Project) -> None:
    app.write("workers/top.py", WORKER.format(name="Top"))
    app.write("workers/nested/__init__.py", "")
    app.write("workers/nested/deep/__init__.py", WORKER.format(name="Deep"))
    app.write("workers/folder/without_init.py", WORKER.format(name="Folder"))
    app.write(
        "workers/family.py",
        "from workers.top import Top\nclass Child(Top): pass\nclass Grandchild(Child): pass\n",
    )
    app.write(
        "workers/functions.py",
        "from celery_app import celery_app\n"
        "@celery_app.task\ndef function(word):\n    return 'function ' + word\n",
    )
    app.worker("celery_app", "-Q", "critical,default,low", "--pool=solo")
    printed = app.python("""
import celery_app
from workers.family import Grandchild
from workers.folder.without_init import Folder
from workers.functions import function
from workers.nested.deep import Deep
from workers.top import Top
results = [each.perform_async("runs") for each in (Top, Deep, Folder, Grandchild)]
results.append(function.delay("runs"))
print([result.get(timeout=20) for result in results])
""")
    assert printed.endswith("['Top runs', 'Deep runs', 'Folder runs', 'Top runs', 'function runs']")


def test_workers_are_registered_without_a_call_of_initialize(project: Project) -> None:
    project.write(
        "tiny.py",
        "from flask import Flask\nfrom flaskiq import Flaskiq, Worker\n"
        "app = Flask(__name__)\nflaskiq = Flaskiq(app)\ncelery_app = flaskiq.celery\n"
        "class Hello(Worker):\n    @classmethod\n    def perform(cls): return 'hello'\n",
    )
    project.write("workers/late.py", WORKER.format(name="Late"))
    project.worker("tiny:celery_app", "--pool=solo")
    assert project.python("""
from tiny import Hello
from workers.late import Late
print(Hello.perform_async().get(timeout=20), Late.perform_async("too").get(timeout=20))
""").endswith("hello Late too")


def test_initialize_logs_and_can_be_repeated(app: Project) -> None:
    app.write("workers/top.py", WORKER.format(name="Top"))
    app.write(
        "workers/timed.py",
        "from flaskiq import Worker\nclass Timed(Worker):\n"
        "    queue = 'low'\n    cron_schedule = '@daily'\n"
        "    @classmethod\n    def perform(cls): ...\n",
    )
    printed = app.python("""
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
import celery_app
celery_app.WorkerRegistry.initialize()
print(sorted(celery_app.flaskiq.celery.conf.beat_schedule))
""")
    assert printed.splitlines() == [
        "Registered worker workers.timed.Timed on queue low [cron @daily]",
        "Registered worker workers.top.Top on queue default",
        "Registered 2 workers",
        "['workers.timed.Timed']",
    ]


BROKEN = {
    "a module that cannot be imported": (
        {"workers/deep/broken.py": "import nothing_of_this_name\n"},
        ["workers/deep/broken.py", "line 1", "No module named 'nothing_of_this_name'"],
    ),
    "a misspelt option": (
        {
            "workers/spelt.py": "from flaskiq import Worker\n\nclass Spelt(Worker):\n"
            "    max_retry = 1\n    @classmethod\n    def perform(cls): ...\n"
        },
        ["workers/spelt.py", "line 3", "did you mean 'max_retries'?"],
    ),
    "an invalid cron expression": (
        {
            "workers/timed.py": "from flaskiq import Worker\n\nclass Timed(Worker):\n"
            "    cron_schedule = '@dayly'\n    @classmethod\n    def perform(cls): ...\n"
        },
        ["workers/timed.py", "line 3", "@daily"],
    ),
    "two Workers with one task name": (
        {
            "workers/one.py": WORKER.format(name="One").replace(
                "(Worker):", "(Worker):\n    name = 'same'"
            ),
            "workers/two.py": WORKER.format(name="Two").replace(
                "(Worker):", "(Worker):\n    name = 'same'"
            ),
        },
        ["two Workers have the task name 'same'", "workers/one.py:4", "workers/two.py:4"],
    ),
    "a class that is shadowed by another of its name": (
        {"workers/twice.py": WORKER.format(name="Twice") + WORKER.format(name="Twice")},
        ["two Workers have the task name 'workers.twice.Twice'", "twice.py:4", "twice.py:11"],
    ),
    "a Worker without perform": (
        {"workers/idle.py": "from flaskiq import Worker\n\nclass Idle(Worker):\n    pass\n"},
        ["workers/idle.py:3", "Worker workers.idle.Idle has no perform"],
    ),
    "a queue that nobody consumes": (
        {
            "workers/urgent.py": WORKER.format(name="Urgent").replace(
                "(Worker):", "(Worker):\n    queue = 'critcal'"
            )
        },
        ["workers/urgent.py:4", "'critcal'", "did you mean 'critical'?", "task_queues"],
    ),
    "a task name that a plain task has": (
        {
            "workers/functions.py": "from celery_app import celery_app\n"
            "@celery_app.task(name='workers.top.Top')\ndef function(): ...\n",
            "workers/top.py": WORKER.format(name="Top"),
        },
        ["workers/top.py:4", "'workers.top.Top' is taken by"],
    ),
}


@pytest.mark.parametrize(
    ("case", "command"), [*((case, "worker") for case in BROKEN), (next(iter(BROKEN)), "beat")]
)
def test_a_broken_worker_stops_the_start(app: Project, case: str, command: str) -> None:
    """Of each program: both import the app in the same way."""
    files, expected = BROKEN[case]
    for name, text in files.items():
        app.write(name, text)
    process = app.start("celery", "-A", "celery_app", command)
    assert process.wait() != 0
    for text in expected:
        assert text in process.output


def test_a_configured_package_must_exist(app: Project) -> None:
    done = app.python_result("import celery_app", FLASKIQ_WORKERS="jobs")
    assert done.returncode == 1
    assert "there is no package 'jobs' to import Workers from" in done.stderr
    assert "FLASKIQ_WORKERS" in done.stderr


def test_an_abstract_base_is_not_a_job(app: Project) -> None:
    app.write(
        "workers/family.py",
        "from abc import ABC, abstractmethod\nfrom flaskiq import Worker\n"
        "class Base(Worker, ABC):\n    queue = 'low'\n"
        "    @classmethod\n    @abstractmethod\n    def perform(cls): ...\n"
        "class Child(Base):\n    @classmethod\n    def perform(cls): ...\n",
    )
    printed = app.python(
        "import celery_app\nfrom flask import current_app\n"
        "with celery_app.flask_app.app_context():\n"
        "    print(list(current_app.extensions['flaskiq'].registry.workers))"
    )
    assert printed == "['workers.family.Child']"


@pytest.mark.slow
def test_a_cron_worker_fires_under_a_real_beat_on_its_slot(
    app: Project, store: redis.Redis
) -> None:
    app.write(
        "workers/timed.py",
        """
import time
import redis
from flaskiq import Worker

class Timed(Worker):
    queue = "critical"
    cron_schedule = "* * * * *"
    expires = 30

    @classmethod
    def perform(cls) -> None:
        from celery_app import celery_app
        with redis.Redis.from_url(celery_app.conf.broker_url) as client:
            client.rpush("fired", time.time())
""",
    )
    app.start("celery", "-A", "celery_app", "beat", "--loglevel=INFO")
    worker = app.worker("celery_app", "--pool=solo")
    (fired,) = until(lambda: store.lrange("fired", 0, -1), "the slot", timeout=75)
    assert float(fired) % 60 < 3
    assert "Worker workers.timed.Timed on queue critical [cron * * * * *]" in worker.output
