"""The life of a job, from the call to its result, through real worker processes."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
import redis
from fleet import SOLO, THREADS
from processes import Process, Project
from waiting import until

LIB = str(Path(__file__).parent / "lib")


def test_results_are_there_in_any_process_of_the_app(
    sample: ModuleType, project: Project, sample_worker: Process
) -> None:
    result = sample.Add.perform_async(1, 2)
    assert result.get(timeout=20) == 3

    elsewhere = project.python(
        f"import sample; from celery.result import AsyncResult as R; r = R({result.id!r});"
        "print(r.status, r.result, r.get(timeout=5))",
        PYTHONPATH=LIB,
    )
    assert elsewhere.splitlines()[-1] == "SUCCESS 3 3"


def test_async_perform_bulk_and_canvas(sample: ModuleType, sample_worker: Process) -> None:
    from celery import chain, chord

    assert sample.AddAsync.perform_async(1, 2).get(timeout=20) == 3
    bulk = sample.Add.perform_bulk((n, n) for n in range(1500))
    assert [result.get(timeout=60) for result in bulk] == [2 * n for n in range(1500)]
    assert chain(sample.Add.s(1, 2), sample.Add.s(10)).delay().get(timeout=20) == 13
    total = chord([sample.Add.s(1, 1), sample.Add.s(2, 2)])(sample.plain.s())
    assert total.get(timeout=20)[0] == [2, 4]


def test_a_job_finds_its_app_and_itself(sample: ModuleType, sample_worker: Process) -> None:
    result = sample.Describe.set(headers={"request": "r1"}).perform_async()
    assert result.get(timeout=20) == {
        "app": "sample",
        "id": result.id,
        "worker": "sample.Describe",
        "queue": "low",
        "attempt": 1,
        "headers": {"request": "r1"},
    }


def test_a_plain_task_finds_its_app_too(sample: ModuleType, sample_worker: Process) -> None:
    assert sample.plain.delay("hi").get(timeout=20) == ["hi", "sample", "sample.plain"]


def test_a_failing_job_has_four_attempts_and_its_own_error(
    sample: ModuleType, store: redis.Redis, sample_worker: Process
) -> None:
    result = sample.Fails.perform_async(9)
    with pytest.raises(LookupError, match="attempt 4"):
        result.get(timeout=30)
    assert store.lrange("record:attempts", 0, -1) == ["1", "2", "3", "4"]
    assert result.status == "FAILURE"
    sample_worker.wait_for("raised unexpected: LookupError('attempt 4')")


def test_a_job_that_recovers_is_done(sample: ModuleType, sample_worker: Process) -> None:
    assert sample.Fails.perform_async(3).get(timeout=30) == 3


@pytest.mark.parametrize(("max_retries", "attempts"), [(0, 1), (1, 2), (5, 6)])
def test_max_retries_of_one_call(
    sample: ModuleType,
    store: redis.Redis,
    sample_worker: Process,
    max_retries: int,
    attempts: int,
) -> None:
    result = sample.Fails.set(max_retries=max_retries).perform_async(9)
    with pytest.raises(LookupError):
        result.get(timeout=30)
    assert store.llen("record:attempts") == attempts


def test_progress_is_seen_while_the_job_runs(
    sample: ModuleType, store: redis.Redis, sample_worker: Process
) -> None:
    result = sample.Progresses.perform_async()
    for done in (1, 2):
        until(lambda done=done: result.status == "PROGRESS" and result.info["done"] == done, "step")
        assert result.info == {"done": done, "total": 2, "note": f"step {done}"}
        store.rpush("go", "on")
    assert result.get(timeout=20) == "arrived"


def test_a_job_without_result_leaves_none_behind(
    sample: ModuleType, store: redis.Redis, sample_worker: Process
) -> None:
    result = sample.Silent.perform_async()
    assert until(lambda: store.lrange("record:silent", 0, -1), "it ran") == [result.id]
    sample_worker.wait_for(f"[{result.id}] succeeded")
    assert store.keys("celery-task-meta-*") == []


def test_the_soft_time_limit_is_raised_once_and_not_retried(
    sample: ModuleType, store: redis.Redis, project: Project
) -> None:
    from celery.exceptions import SoftTimeLimitExceeded

    worker = project.worker(
        "sample:celery_app", "--pool=prefork", "--concurrency=1", PYTHONPATH=LIB
    )
    result = sample.SoftLimited.perform_async()
    with pytest.raises(SoftTimeLimitExceeded):
        result.get(timeout=30)
    assert store.lrange("record:attempts", 0, -1) == ["1"]
    assert store.lrange("record:cleaned up", 0, -1) == ["1"]
    assert "has no effect" not in worker.output


@pytest.mark.parametrize("pool", [SOLO, THREADS])
def test_a_pool_that_keeps_no_limits_says_so(
    sample: ModuleType, project: Project, pool: str
) -> None:
    worker = project.worker("sample:celery_app", f"--pool={pool}", PYTHONPATH=LIB)
    assert f"The {pool} pool cannot interrupt a job: task_soft_time_limit" in worker.output


def test_an_expired_job_is_dropped(
    sample: ModuleType, store: redis.Redis, project: Project
) -> None:
    stale = sample.Add.set(expires=0.01).perform_async(1, 2)
    fresh = sample.Add.set(expires=60).perform_async(1, 2)
    project.worker("sample:celery_app", "--pool=solo", PYTHONPATH=LIB)
    assert fresh.get(timeout=20) == 3
    assert stale.status == "REVOKED"


def test_the_worker_says_what_it_runs(sample: ModuleType, sample_worker: Process) -> None:
    assert "Worker sample.Describe on queue low" in sample_worker.output
    for queue in ("critical", "default", "low"):
        assert f".> {queue}" in sample_worker.output


ORDER_APP = """
import time
from flask import Flask
import redis
from flaskiq import Flaskiq, Worker, current_job

app = Flask("order")
flaskiq = Flaskiq(app)
celery_app = flaskiq.celery

class Ordered(Worker):
    @classmethod
    def perform(cls, seconds: float) -> None:
        with redis.Redis.from_url(celery_app.conf.broker_url) as client:
            client.rpush("starts", current_job.queue)
        time.sleep(seconds)
"""

ENQUEUE = """
from order import Ordered
for queue in ("low", "default", "critical"):
    # The first job of all keeps one slot of two out of step, so that no two jobs start at once.
    jobs = [(0.01 if queue == "critical" and n == 0 else 0.04,) for n in range(20)]
    Ordered.set(queue=queue).perform_bulk(jobs)
"""


QUEUES = ("critical", "default", "low")


def overtaken(starts: list[str], slots: int) -> list[int]:
    """Return the places of jobs that started before the last job of a higher queue had.

    Jobs that were handed to different slots in the same instant may record their start in any
    order, so with several slots a job may stand up to ``slots - 1`` places too early.
    """
    return [
        place
        for place, queue in enumerate(starts)
        for higher in QUEUES[: QUEUES.index(queue)]
        if higher in starts[place + slots :]
    ]


@pytest.mark.parametrize("pool", ["prefork", THREADS])
@pytest.mark.parametrize("slots", [1, 2])
def test_no_job_starts_before_the_last_one_of_a_higher_queue(
    project: Project, store: redis.Redis, pool: str, slots: int
) -> None:
    project.write("order.py", ORDER_APP)
    project.python(ENQUEUE)
    assert [store.llen(queue) for queue in QUEUES] == [20, 20, 20]

    project.worker("order:celery_app", f"--pool={pool}", f"--concurrency={slots}")
    until(lambda: store.llen("starts") == 60, "all have run", timeout=40)
    starts = store.lrange("starts", 0, -1)
    assert sorted(starts) == sorted(QUEUES * 20)
    assert overtaken(starts, slots) == []


def test_routes_beat_the_worker_and_a_call_beats_the_routes(project: Project) -> None:
    project.write(
        "routed.py",
        """
from flask import Flask
from flaskiq import Flaskiq, Worker

def by_call(name, args, kwargs, options, task=None, **kw):
    return {"queue": "low"} if name == "routed.ByCallable" else None

app = Flask("routed")
app.config["CELERY"] = {"task_routes": [{"routed.ByName": {"queue": "critical"},
                                         "routed.Glob*": "critical"}, by_call]}
flaskiq = Flaskiq(app)
celery_app = flaskiq.celery

class Base(Worker):
    @classmethod
    def perform(cls) -> None: ...

class ByName(Base):
    queue = "anything"   # a route answers for it, so nobody needs to consume this queue
class GlobOne(Base):
    queue = "default"
class ByCallable(Base):
    pass
class ByOption(Base):
    queue = "low"
class ByDefault(Base):
    pass
""",
    )
    printed = project.python("""
import json, redis
from routed import *
for worker in (ByName, GlobOne, ByCallable, ByOption, ByDefault):
    worker.perform_async()
    worker.set(queue="default").perform_async()
celery_app.send_task("routed.ByOption")
client = redis.Redis.from_url(celery_app.conf.broker_url, decode_responses=True)
tasks = lambda queue: [json.loads(m)["headers"]["task"][7:] for m in client.lrange(queue, 0, -1)]
print(json.dumps({queue: sorted(tasks(queue)) for queue in ("critical", "default", "low")}))
""")
    assert json.loads(printed) == {
        "critical": ["ByName", "GlobOne"],
        "default": sorted(
            ["ByName", "GlobOne", "ByCallable", "ByOption", "ByDefault", "ByDefault"]
        ),
        "low": ["ByCallable", "ByOption", "ByOption"],
    }


def test_one_limit_of_a_worker_is_enough(project: Project) -> None:
    printed = project.python("""
from flask import Flask
from flaskiq import Flaskiq, Worker
app = Flask("limits")
flaskiq = Flaskiq(app)
class Base(Worker):
    @classmethod
    def perform(cls): ...
class Short(Base):
    time_limit = 60
class Long(Base):
    soft_time_limit = 3000
class Usual(Base):
    time_limit = 1700
for worker in (Short, Long, Usual):
    worker.perform_async()
    task = flaskiq.celery.tasks[worker.task_name()]
    print(task.soft_time_limit, task.time_limit)
""")
    assert printed.splitlines() == ["50.0 60", "3000 3600.0", "1500 1700"]


def test_without_a_broker_enqueueing_fails_soon_and_says_why(project: Project) -> None:
    from servers import free_port

    url = f"redis://127.0.0.1:{free_port()}/0"
    printed = project.python(
        """
import time
from flask import Flask
from kombu.exceptions import OperationalError
from flaskiq import Flaskiq, Worker
app = Flask("down")
flaskiq = Flaskiq(app)
class Ping(Worker):
    @classmethod
    def perform(cls): ...
start = time.monotonic()
try:
    Ping.perform_async()
except OperationalError as error:
    print(time.monotonic() - start < 5, error)
""",
        CELERY_BROKER_URL=url,
        CELERY_RESULT_BACKEND=url,
    )
    assert printed.startswith("True Error 111")
