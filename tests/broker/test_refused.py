"""Messages that nobody can run: each is in the dead set with its bytes, and the worker goes on."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest
from celery.exceptions import NotRegistered
from redis import Redis
from waiting import until

from flaskiq.message import Template
from flaskiq.store.store import Store


def message(task: str, args: Any = (), kwargs: Any = None, **headers: Any) -> bytes:
    return (
        Template(task, "default", {}).fill("the-id", args, kwargs or {}, "the-id", headers).encode()
    )


def without(raw: bytes, *path: str) -> bytes:
    """Return a message in which one part is missing."""
    content = part = json.loads(raw)
    for name in path[:-1]:
        part = part[name]
    del part[path[-1]]
    return json.dumps(content).encode()


def with_body(body: str) -> bytes:
    """Return the message of a job with another body."""
    return json.dumps({**json.loads(ADD), "body": body}).encode()


ADD = message("sample.Add", (1, 2))

REFUSED = {
    "no JSON": (b'{"body": ', "Expecting value"),
    "no text": (b"\xff\x00\xfe", "decode"),
    "no object": (b"[1, 2]", "the message has no body"),
    "no headers": (without(ADD, "headers"), "the message has no headers"),
    "no properties": (without(ADD, "properties"), "the message has no properties"),
    "no body": (without(ADD, "body"), "the message has no body"),
    "no task": (without(ADD, "headers", "task"), "the message names no task"),
    "an unknown task": (
        message("shop.Gone", (1,)),
        "no Worker and no task is called 'shop.Gone' here",
    ),
    "too few arguments": (message("sample.Doomed"), "missing 1 required positional argument"),
    "a wrong argument": (message("sample.Add", (1,), {"wrong": 2}), "unexpected keyword argument"),
    "a plain task, too many": (message("sample.plain", (1, 2)), "takes 1 positional argument"),
    "a body that is no JSON": (with_body("{"), "Expecting property name"),
    "a body of one part": (with_body("[1]"), "not enough values to unpack"),
    "arguments that are no list": (
        with_body("[1, {}, {}]"),
        "argument after * must be an iterable",
    ),
    "a format that is not accepted": (
        ADD.replace(b"application/json", b"application/x-python-serialize"),
        "Refusing to deserialize",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_dead_with_its_bytes_and_its_reason(
    sample: ModuleType, store: Redis, keep_worker: Any, jobs: Store, what: str
) -> None:
    raw, reason = REFUSED[what]
    worker = keep_worker()
    jobs.queues.push("default", [raw])
    assert sample.Add.perform_async(3, 4).get(timeout=20) == 7
    entry = next(iter(until(lambda: list(jobs.dead), f"it is dead\n{worker.output}")))
    assert entry.placed.message == raw
    assert entry.failure is not None
    assert reason in entry.failure.message
    assert entry.failure.attempt == 1
    assert len(jobs.retry) == 0
    until(lambda: not any(map(jobs.processes.inflight, jobs.processes.live())), "none in flight")
    assert sample.Add.perform_async(3, 5).get(timeout=20) == 8
    assert worker.is_running
    assert not store.hget("flaskiq:counters", "fenced")


def test_an_unknown_task_has_a_result(sample: ModuleType, keep_worker: Any, jobs: Store) -> None:
    keep_worker()
    jobs.queues.push("default", [message("shop.Gone")])
    until(lambda: jobs.dead.find("the-id"), "it is dead under its id")
    with pytest.raises(NotRegistered):
        sample.celery_app.AsyncResult("the-id").get(timeout=20)


def test_many_broken_messages_stop_nothing(
    sample: ModuleType, start_worker: Any, jobs: Store
) -> None:
    jobs.queues.push("default", [b"{%d" % number for number in range(50)])
    result = sample.Add.perform_async(1, 2)
    start_worker()
    assert result.get(timeout=20) == 3
    assert {entry.placed.message for entry in jobs.dead} == {b"{%d" % n for n in range(50)}
