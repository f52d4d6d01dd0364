"""The direct way onto a queue: what its messages say, and when it is not taken."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime, timezone
from types import ModuleType
from typing import Any

import pytest
import redis
from celery import Celery, Task, signals
from kombu import Producer
from messages import queued
from processes import Project

from flaskiq.direct import BULK_SIZE
from flaskiq.message import ARGSREPR_MAXSIZE, Template, read

LEAN = {"id", "root_id", "argsrepr", "task", "flaskiq_enqueued_at"}


def is_lean(store: redis.Redis) -> bool:
    """Whether the only job of the default queue came the direct way."""
    (message,) = queued(store)
    return "lang" not in message.headers


@pytest.fixture
def commands(store: redis.Redis) -> Iterator[Any]:
    """Returns the write commands that the server has run since it was last asked."""

    def counted() -> dict[str, int]:
        stats = store.info("commandstats")
        store.config_resetstat()
        return {
            name.removeprefix("cmdstat_"): value["calls"]
            for name, value in stats.items()
            if "push" in name or "trim" in name or "eval" in name
        }

    store.config_resetstat()
    return counted


def test_the_message_says_no_more_than_a_worker_needs(
    sample: ModuleType, store: redis.Redis
) -> None:
    job = sample.Add.perform_async(1, 2)

    (raw,) = store.lrange("default", 0, -1)
    message = read(raw.encode())
    assert set(message.headers) == LEAN
    assert message.headers["root_id"] == message.headers["id"] == job.id
    assert message.headers["argsrepr"] == "(1, 2)"
    assert message.properties["delivery_info"] == {"exchange": "", "routing_key": "default"}
    assert (message.args, message.kwargs) == ([1, 2], {})
    assert store.memory_usage("default") < 650


@pytest.mark.parametrize(
    "args",
    [
        ('"quoted" \\ %s {braces}', "line\nbreak"),
        ("zoë ✓ \U0001f600", "\x00\x7f"),
        ([], {}),
        ({"a": [1.5, None, True]}, datetime(2030, 1, 1, tzinfo=timezone.utc)),
    ],
)
def test_arguments_arrive_as_they_were(args: tuple[Any, ...]) -> None:
    template = Template("name", "a queue", {})
    message = read(template.fill("1", args, {"and": args[0]}, "1", {}).encode())
    assert message.args == list(args)
    assert message.kwargs == {"and": args[0]}


def test_what_is_shown_of_long_arguments_is_cut() -> None:
    message = read(Template("name", "low", {}).fill("1", ("x" * 5000,), {}, "1", {}).encode())
    assert len(message.headers["argsrepr"]) == ARGSREPR_MAXSIZE
    assert message.headers["argsrepr"].endswith("...")


def test_options_of_a_call_are_in_its_message(sample: ModuleType, store: redis.Redis) -> None:
    at = datetime(2099, 1, 1, tzinfo=timezone.utc)
    sample.Add.set(expires=at, max_retries=7, headers={"who": "me"}, queue="low").perform_async(
        1, 2
    )

    (message,) = queued(store, "low")
    assert message.headers["expires"] == at.isoformat()
    assert message.headers["flaskiq_max_retries"] == 7
    assert message.headers["who"] == "me"
    assert message.properties["delivery_info"]["routing_key"] == "low"


def test_a_job_without_a_result_says_so(sample: ModuleType, store: redis.Redis) -> None:
    sample.Silent.perform_async()
    (message,) = queued(store)
    assert message.headers["ignore_result"] is True


def test_one_job_is_one_command_and_a_token_only_for_an_empty_queue(
    sample: ModuleType, commands: Any
) -> None:
    sample.Add.perform_async(1, 2)
    assert commands() == {"lpush": 2}
    sample.Add.perform_async(1, 2)  # it finds one, and so the next expects no empty queue
    commands()
    sample.Add.perform_async(1, 2)
    assert commands() == {"lpush": 1}


def test_a_bulk_is_one_command_per_thousand(sample: ModuleType, commands: Any) -> None:
    sample.Add.perform_async(1, 2)
    sample.Add.perform_async(1, 2)  # it finds one, and so the next expects no empty queue
    commands()
    jobs = sample.Add.perform_bulk([(index, 0) for index in range(2 * BULK_SIZE + 1)])
    assert commands() == {"lpush": 3}
    assert len(jobs) == len({job.id for job in jobs}) == 2 * BULK_SIZE + 1


def test_a_bulk_keeps_its_order(sample: ModuleType, store: redis.Redis) -> None:
    jobs = sample.Add.perform_bulk([(index, 0) for index in range(5)])
    assert [message.args[0] for message in queued(store)] == [0, 1, 2, 3, 4]
    assert [message.headers["id"] for message in queued(store)] == [job.id for job in jobs]
    assert [job.id for job in jobs[1:3]] == [jobs[1].id, jobs[2].id]


@pytest.mark.parametrize(
    "signal",
    [signals.before_task_publish, signals.after_task_publish, vars(signals)["task_sent"]],
    ids=["before_task_publish", "after_task_publish", "task_sent"],
)
def test_who_listens_to_publishing_is_told(
    sample: ModuleType, store: redis.Redis, signal: Any
) -> None:
    heard: list[str] = []

    def listen(sender: str, **_: Any) -> None:
        heard.append(sender)

    signal.connect(listen, weak=False)
    try:
        sample.Add.perform_async(1, 2)
    finally:
        signal.disconnect(listen)
    assert heard == ["sample.Add"]
    assert not is_lean(store)

    store.delete("default")
    sample.Add.perform_async(1, 2)
    assert is_lean(store)


@pytest.mark.parametrize(
    ("owner", "name"),
    [(Task, "apply_async"), (Celery, "send_task"), (Producer, "publish")],
)
def test_who_wraps_publishing_is_called(
    sample: ModuleType,
    store: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    name: str,
) -> None:
    called: list[str] = []
    own: Any = vars(owner)[name]

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        called.append(name)
        return own(*args, **kwargs)

    monkeypatch.setattr(owner, name, wrapper)
    sample.Add.perform_async(1, 2)
    assert called == [name]
    assert not is_lean(store)


PROGRAM = """
import json, os
from flask import Flask
from flaskiq import Flaskiq, Worker
app = Flask("program")
app.config["CELERY"] = json.loads(os.environ["SETTINGS"])
flaskiq = Flaskiq(app)
class Add(Worker):
    @classmethod
    def perform(cls, left, right): return left + right
job = Add.perform_async(1, 2)
"""


@pytest.mark.parametrize(
    "settings",
    [
        {"task_send_sent_event": True},
        {"task_compression": "gzip"},
        {"task_protocol": 1},
        {"task_inherit_parent_priority": True},
        {"task_routes": {"*Add": {"queue": "default", "priority": 3}}},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_settings_that_ask_for_more_are_left_to_celery(
    project: Project, store: redis.Redis, settings: dict[str, Any]
) -> None:
    project.python(PROGRAM, SETTINGS=json.dumps(settings))
    raw = [
        json.loads(value) for key in store.keys("default*") for value in store.lrange(key, 0, -1)
    ]
    assert len(raw) == 1
    assert "delivery_mode" in raw[0]["properties"]


def test_routes_in_a_function_are_asked(project: Project, store: redis.Redis) -> None:
    project.write("routes.py", "def route(name, args, *_, **__):\n    return {'queue': args[0]}\n")
    project.python(
        PROGRAM.replace("Add.perform_async(1, 2)", "Add.perform_async('low', 'b')"),
        SETTINGS=json.dumps({"task_routes": ["routes.route"]}),
    )
    assert store.llen("low") == 1


def test_a_task_that_is_called_at_once_is_not_enqueued(
    project: Project, store: redis.Redis
) -> None:
    code = PROGRAM + "print(job.get())\nflaskiq.celery.conf.task_always_eager = False\n"
    code += "Add.perform_async(1, 2)\nflaskiq.celery.conf.task_always_eager = True\n"
    code += "print(Add.perform_async(3, 4).get())"
    printed = project.python(code, SETTINGS=json.dumps({"task_always_eager": True}))
    assert printed.split() == ["3", "7"]
    assert store.llen("default") == 1


def test_a_job_of_a_job_knows_its_root_and_parent(sample_worker: Any, sample: ModuleType) -> None:
    job = sample.Fan.perform_async(3)
    seen = json.loads(job.get(timeout=20))
    assert [(child["root_id"], child["parent_id"]) for child in seen] == [(job.id, job.id)] * 3
    assert {child.id for child in job.children} == {child["id"] for child in seen}


def test_after_a_cut_connection_the_job_is_enqueued_all_the_same(
    sample: ModuleType, store: redis.Redis
) -> None:
    sample.Add.perform_async(1, 2)
    for client in store.client_list():
        if client["id"] != str(store.client_id()):
            store.client_kill_filter(_id=client["id"])
    sample.Add.perform_async(3, 4)
    assert [message.args for message in queued(store)] == [[1, 2], [3, 4]]


def test_a_forked_child_has_connections_of_its_own(sample: ModuleType, store: redis.Redis) -> None:
    sample.Add.perform_async(0, 0)
    before = {client["id"] for client in store.client_list()}
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for index in range(100):
                sample.Add.perform_async(1, index)
            status = 0
        finally:
            os._exit(status)
    for index in range(100):
        sample.Add.perform_async(2, index)
    assert os.waitpid(child, 0)[1] == 0
    found = [message.args for message in queued(store)]
    for sender in (1, 2):
        assert [args[1] for args in found if args[0] == sender] == list(range(100))
    assert {client["id"] for client in store.client_list()} == before
