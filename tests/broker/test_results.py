"""Results: Celery's keys and JSON, in fewer trips, and only from those who still have the job."""

from __future__ import annotations

import json
import signal
from datetime import datetime, timedelta
from threading import Timer
from types import ModuleType
from typing import Any

import pytest
from celery import Celery, states
from celery.app.task import Context
from celery.result import AsyncResult
from flask import Flask
from redis import Redis
from redis.client import PubSub
from waiting import until

from flaskiq import Flaskiq
from flaskiq.store.store import Store


@pytest.fixture
def stock(redis_url: str) -> Celery:
    """A Celery app without Flaskiq, which reads what Flaskiq writes."""
    return Celery("stock", broker=redis_url, backend=redis_url)


def commands(store: Redis) -> dict[str, int]:
    stats = store.info("commandstats")
    return {name.removeprefix("cmdstat_"): value["calls"] for name, value in stats.items()}


def test_a_stock_client_reads_the_results(
    sample: ModuleType, start_worker: Any, stock: Celery
) -> None:
    start_worker()
    job, failure = sample.Add.perform_async(1, 2), sample.Fails.set(max_retries=0).perform_async(2)
    assert AsyncResult(job.id, app=stock).get(timeout=20) == 3
    with pytest.raises(Exception, match="attempt 1"):
        AsyncResult(failure.id, app=stock).get(timeout=20)
    meta = stock.backend.get_task_meta(job.id)
    assert meta["task_id"] == job.id
    assert meta["children"] == []


@pytest.mark.parametrize(
    "request_of",
    [
        None,
        Context(id="job", children=[]),
        Context(id="job", children=[], group="g", parent_id="p"),
        Context(id="job", task="t", args=(1,), kwargs={}, hostname="h", delivery_info={}),
    ],
)
@pytest.mark.parametrize("extended", [False, True])
def test_the_record_of_a_success_is_celerys(
    redis_url: str, stock: Celery, request_of: Any, extended: bool
) -> None:
    """We make it ourselves, at half the price (``ThinResults._get_result_meta``)."""
    app = Flask("records")
    app.config["CELERY_BROKER_URL"] = app.config["CELERY_RESULT_BACKEND"] = redis_url
    ours = Flaskiq(app).celery
    ours.conf.result_extended = stock.conf.result_extended = extended
    records = [
        celery.backend._get_result_meta(7, states.SUCCESS, None, request_of)
        for celery in (ours, stock)
    ]
    moments = [datetime.fromisoformat(record.pop("date_done")) for record in records]
    assert list(records[0].items()) == list(records[1].items()), "in this order, too"
    assert abs(moments[1] - moments[0]) < timedelta(seconds=5)


def test_a_result_that_comes_before_the_subscription_is_seen(
    sample: ModuleType, store: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis reads SUBSCRIBE later than the question for the record, on another connection."""
    backend = sample.celery_app.backend
    send = PubSub.execute_command

    def send_late(self: PubSub, *command: Any) -> None:
        if command[0] == "SUBSCRIBE":
            backend.store_result("job", 3, states.SUCCESS)
            store.set("held", store.get("celery-task-meta-job"))
            store.delete("celery-task-meta-job")
            Timer(0.2, store.rename, ("held", "celery-task-meta-job")).start()
            Timer(0.4, send, (self, *command)).start()
        else:
            send(self, *command)

    monkeypatch.setattr(PubSub, "execute_command", send_late)
    assert sample.celery_app.AsyncResult("job").get(timeout=10) == 3


def test_a_result_is_one_trip(sample: ModuleType, store: Redis) -> None:
    backend = sample.celery_app.backend
    backend.store_result("warm", 1, states.SUCCESS)
    store.config_resetstat()
    for index in range(10):
        backend.store_result(f"job{index}", index, states.SUCCESS)
    ran = commands(store)
    assert (ran["evalsha"], ran["setex"], ran["publish"]) == (10, 10, 10)
    assert not {"get", "multi", "exec"} & set(ran)
    assert 0 < store.ttl("celery-task-meta-job1") <= 3600


@pytest.mark.parametrize("headers", [None, {"organization_id": "acme"}], ids=["", "tenant"])
def test_a_success_is_never_overwritten(
    sample: ModuleType, store: Redis, headers: dict[str, str] | None
) -> None:
    backend, request = sample.celery_app.backend, Context(headers=headers)
    backend.store_result("job", 1, states.STARTED, request=request)
    backend.store_result("job", 2, states.SUCCESS, request=request)
    backend.store_result("job", ValueError("late"), states.FAILURE, request=request)
    record = json.loads(store.get("celery-task-meta-job"))
    assert (record["result"], record.get("tenant")) == (2, headers)


@pytest.mark.filterwarnings("ignore:Call to deprecated setex")  # Celery's own call
@pytest.mark.parametrize(
    "settings", [{"result_compression": "gzip"}, {"result_serializer": "pickle"}], ids=str
)
def test_other_forms_are_left_to_celery(
    redis_url: str, store: Redis, settings: dict[str, Any]
) -> None:
    app = Flask("other")
    app.config.update(CELERY_BROKER_URL=redis_url, CELERY_RESULT_BACKEND=redis_url)
    app.config["CELERY"] = {**settings, "result_accept_content": ["json", "pickle"]}
    celery = Flaskiq(app).celery
    celery.backend.store_result("job", [1], states.SUCCESS)
    celery.backend.store_result("job", [2], states.STARTED)
    assert celery.AsyncResult("job").get() == [1]
    assert store.exists("celery-task-meta-job")


def test_what_is_too_large_for_redis_is_refused(
    sample: ModuleType, store: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = sample.celery_app.backend
    monkeypatch.setattr(type(backend), "_MAX_STR_VALUE_SIZE", 1000)
    with pytest.raises(Exception, match="too large"):
        backend.store_result("job", "x" * 1000, states.SUCCESS)
    assert not store.exists("celery-task-meta-job")


@pytest.mark.parametrize("pool", ["threads"])
def test_what_a_frozen_worker_finishes_is_not_written(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store
) -> None:
    """The second worker is still at it when the first one, which was frozen, comes to its end."""
    frozen = start_worker("--concurrency=2")
    result = sample.Sleeps.perform_async("twice", 6)
    until(lambda: store.llen("record:started") == 1, "it started")
    (identity,) = jobs.processes.live()
    frozen.send(signal.SIGSTOP)
    start_worker("--concurrency=2")
    until(lambda: store.llen("record:started") == 2, "it started elsewhere", timeout=30)
    frozen.send(signal.SIGCONT)
    until(lambda: store.llen("record:ended") == 1, "the first is done", timeout=30)
    frozen.wait_for(f"Job {result.id} is not SUCCESS: others have been given it")
    assert result.state == states.STARTED
    assert result.get(timeout=30) == "twice"
    assert store.llen("record:ended") == 2
    assert identity not in jobs.processes.live()
