"""A worker as the tests see it: its program, its remote control, and what its jobs wrote down."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psutil
from celery import Celery
from celery.events.state import State
from celery.result import AsyncResult
from processes import Process
from redis import Redis
from waiting import until

from flaskiq.store.store import Store

SLOTS = 2
"""Jobs that the worker runs at once."""


class Node:
    """One worker: the ``name`` that Celery knows it by, and a ``queue`` that it alone consumes."""

    def __init__(
        self, name: str, queue: str, process: Process, celery: Celery, store: Redis
    ) -> None:
        self.name = name
        self.queue = queue
        self.process = process
        self._celery = celery
        self._redis = store

    @property
    def last_words(self) -> str:
        """The end of its log."""
        return self.process.output[-5000:]

    def inspect(self, what: str, *args: Any, **kwargs: Any) -> Any:
        """Return what it answers."""
        ask = self._celery.control.inspect(destination=[self.name], timeout=10)
        answers = getattr(ask, what)(*args, **kwargs)
        assert answers, f"no answer to {what}\n{self.last_words}"
        return answers[self.name]

    def command(self, name: str, **arguments: Any) -> Any:
        """Give it a command of the remote control, and return its answer."""
        broadcast = self._celery.control.broadcast
        answers = broadcast(name, arguments, [self.name], reply=True, timeout=10)
        assert answers, f"no answer to {name}\n{self.last_words}"
        assert len(answers) == 1
        return answers[0][self.name]

    def revoke(self, result: AsyncResult[Any]) -> None:
        """Revoke a job, and wait until this worker knows it."""
        result.revoke()
        until(lambda: result.id in self.inspect("revoked"), "the worker knows")

    def active(self) -> dict[str, dict[str, Any]]:
        """Return what runs, by id."""
        return {each["id"]: each for each in self.inspect("active")}

    def processes(self) -> list[int]:
        """Return the pids of its pool."""
        return list(self.inspect("stats")["pool"]["processes"])

    def hold(self, jobs: int = SLOTS) -> Gate:
        """Start so many jobs, which run until their gate is opened."""
        gate = Gate(self._redis)
        hold = self._celery.tasks["contract_app.tasks.hold"]
        gate.held = [hold.apply_async((gate.name,), queue=self.queue) for _ in range(jobs)]
        noted = [f"notes:{each.id}" for each in gate.held]
        until(lambda: self._redis.exists(*noted) == jobs, f"they run\n{self.last_words}")
        until(lambda: gate.ids <= set(self.active()), f"the worker knows\n{self.last_words}")
        return gate

    @contextmanager
    def full(self, slots: int = SLOTS) -> Iterator[Gate]:
        """Fill its slots meanwhile, so that other jobs wait."""
        gate = self.hold(slots)
        try:
            yield gate
        finally:
            gate.open(slots)
        until(lambda: not gate.ids & set(self.active()), "they have ended")
        assert [each.get(timeout=20) for each in gate.held] == ["opened"] * slots


class Gate:
    """Where jobs wait, until it is opened for as many."""

    def __init__(self, store: Redis) -> None:
        self.name = uuid4().hex
        self.held: list[AsyncResult[Any]] = []
        self._redis = store

    @property
    def ids(self) -> set[str]:
        """The ids of the jobs that are held."""
        return {each.id for each in self.held}

    def open(self, jobs: int) -> None:
        """Let so many jobs pass."""
        self._redis.rpush(f"gate:{self.name}", *["open"] * jobs)


class Records:
    """What jobs, and the signals about them, wrote down."""

    def __init__(self, store: Redis, jobs: Store) -> None:
        self._redis = store
        self._jobs = jobs

    def notes(self, job_id: str) -> list[Any]:
        """Return the notes of a job, in order."""
        return self._lines(f"notes:{job_id}")

    def signals(self, job_id: str) -> list[dict[str, Any]]:
        """Return the signals about a job, or of a name, in order."""
        return self._lines(f"signals:{job_id}")

    def wait_until_gone(self, job_id: str) -> None:
        """Wait until a job is acknowledged."""
        until(lambda: not self._jobs.in_flight(job_id), "it is in flight no more")

    def _lines(self, key: str) -> list[Any]:
        return [json.loads(line) for line in self._redis.lrange(key, 0, -1)]


class Ears:
    """Hears the events of all workers, and keeps Celery's picture of them."""

    def __init__(self, celery: Celery) -> None:
        self.heard: list[dict[str, Any]] = []
        self.state: Any = State()
        self._celery = celery

    @contextmanager
    def listening(self) -> Iterator[Ears]:
        """Listen in a thread."""
        with self._celery.connection_for_read() as connection:
            receiver = self._celery.events.Receiver(connection, handlers={"*": self._hear})
            thread = threading.Thread(target=receiver.capture)
            thread.start()
            try:
                # It wakes the workers up, and hears their heartbeat.
                until(lambda: self.heard, "the first event")
                yield self
            finally:
                receiver.should_stop = True
                thread.join()

    def _hear(self, event: dict[str, Any]) -> None:
        self.state.event(dict(event))
        self.heard.append(event)

    def of(self, job_id: str) -> list[dict[str, Any]]:
        """Return the events of a job, in the order of the workers' clock."""
        mine = [each for each in list(self.heard) if each.get("uuid") == job_id]
        return sorted(mine, key=lambda each: each["clock"])

    def types(self, job_id: str) -> list[str]:
        """Return the types of the events of a job."""
        return [each["type"] for each in self.of(job_id)]


def is_running(pid: int) -> bool:
    """Whether there is such a process; not so if it only waits to be buried."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


StartNode = Callable[..., Node]
