"""A node of our own pool as the tests see it: its processes, and what its jobs wrote down."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
from celery import Celery
from messages import Message
from processes import Process, Project
from redis import Redis
from waiting import until

from flaskiq.store.place import Placed
from flaskiq.store.store import Store

LIB = str(Path(__file__).parent)
"""Where the application is."""

TTL = 2
"""Seconds of the heartbeats."""

AHEAD = "16"
"""A prefetch multiplier; the variable CELERY_WORKER_PREFETCH_MULTIPLIER."""


def start_in(project: Project, app: str, *options: str, **env: str) -> Process:
    """Start ``flaskiq worker start`` and wait until it is ready."""
    quick = ("--name=node", "--without-mingle", "--without-gossip")
    process = project.start(
        *("flaskiq", "-A", app, "worker", "start", *quick, *options),
        **{"FLASKIQ_HEARTBEAT_TTL": str(TTL), **env},
    )
    process.wait_for(" ready.")
    return process


class Node:
    """One node: the program that was started, and the processes below it."""

    def __init__(self, process: Process, celery: Celery, jobs: Store) -> None:
        self.process = process
        self.celery = celery
        self._jobs = jobs

    @property
    def log(self) -> str:
        """What all its processes have said."""
        return self.process.output

    @property
    def name(self) -> str:
        """Its name as Celery knows it."""
        return f"node@{os.uname().nodename}"

    def children(self) -> dict[str, int]:
        """The children that may fetch: identity -> pid."""
        return {each: pid_of(each) for each in self._jobs.processes.live()}

    def facts(self) -> list[dict[str, str]]:
        """What the children tell of themselves, up to a heartbeat ago."""
        return list(self._jobs.processes.facts().values())

    def pids(self) -> set[int]:
        """The pids of the children that may fetch."""
        return set(self.children().values())

    def child(self) -> tuple[str, int]:
        """Identity and pid of the only child."""
        ((identity, pid),) = self.children().items()
        return identity, pid

    def wait_for_children(self, count: int, *, timeout: float = 30) -> Node:
        """Wait until so many may fetch."""
        self._until(lambda: len(self.children()) == count, f"{count} children", timeout)
        return self

    def wait_for_others(self, than: set[int], count: int) -> set[int]:
        """Wait until so many children may fetch, none of them one of those."""
        what = f"{count} children, none of {than}"
        self._until(lambda: len(self.pids()) == count and not self.pids() & than, what)
        return self.pids()

    def wait_until_gone(self, pids: set[int]) -> None:
        """Wait until these processes have ended."""
        self._until(lambda: not any(map(is_running, pids)), f"{pids} have ended")

    @property
    def templates(self) -> set[int]:
        """The pids of the processes from which the children are forked; usually one."""
        below = psutil.Process(self.process.pid).children()
        return {each.pid for each in below if is_running(each.pid)}

    def in_flight(self) -> list[Any]:
        """The first argument of all jobs in flight, of each child in the order of its fetches."""
        return [each.args[0] if each.args else None for each in self.messages_in_flight()]

    def messages_in_flight(self) -> list[Message]:
        """All jobs in flight, of each child in the order of its fetches."""
        found = (self._jobs.processes.inflight(each) for each in sorted(self.children()))
        values = [each[seq] for each in found for seq in sorted(each)]
        return [Message(Placed.unpack(value).message.decode()) for value in values]

    def learn_to_fetch_ahead(self, pool_jobs: ModuleType) -> None:
        """Let the only child see that jobs of the queue ``default`` are short."""
        pool_jobs.Noop.perform_bulk([()] * 200)
        queue = self._jobs.ready.sizes
        self._until(lambda: not (queue(["default"])["default"] or self.in_flight()), "all done")

    def wait_until_it_listens(self) -> None:
        """Wait until it hears remote control: that begins a moment after it is ready."""
        ping = self.celery.control.ping
        self._until(lambda: ping(destination=[self.name], timeout=0.5), "an answer")

    def inspect(self, what: str) -> Any:
        """Return what it answers."""
        self.wait_until_it_listens()
        ask = self.celery.control.inspect(destination=[self.name], timeout=10)
        answers = getattr(ask, what)()
        assert answers, f"no answer to {what}\n{self.log}"
        return answers[self.name]

    def command(self, name: str, **arguments: Any) -> Any:
        """Give it a command of the remote control, and return its answer."""
        self.wait_until_it_listens()
        broadcast = self.celery.control.broadcast
        answers = broadcast(name, arguments, [self.name], reply=True, timeout=10)
        assert answers, f"no answer to {name}\n{self.log}"
        return answers[0][self.name]

    def send(self, number: int) -> None:
        """Send a signal to its parent process alone."""
        self.process.send(number)

    def kill(self, pid: int) -> None:
        """Kill one of its processes."""
        os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """Let it end, and see that it does so in order."""
        self.send(signal.SIGTERM)
        assert self.process.wait() == 0, self.log

    def end(self) -> None:
        """Kill all its processes, and wait until none is left that could fetch."""
        self.process.end()
        until(lambda: not self._group(), f"{self._group()} are gone")

    def _group(self) -> set[int]:
        """The pids of its process group, to which all its processes belong."""
        found = set()
        for pid in filter(is_running, psutil.pids()):
            with suppress(ProcessLookupError):
                if os.getpgid(pid) == self.process.pid:
                    found.add(pid)
        return found

    def _until(self, condition: Callable[[], Any], what: str, timeout: float = 30) -> None:
        try:
            until(condition, what, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.children()}\n{self.log}") from None


class Records:
    """What jobs wrote down, and the way to tell them to go on."""

    def __init__(self, store: Redis) -> None:
        self._redis = store

    def __call__(self, key: str) -> list[str]:
        """What was written under a key, in order."""
        return list(self._redis.lrange(f"record:{key}", 0, -1))

    def count(self, key: str) -> int:
        """How much was written under a key."""
        return int(self._redis.llen(f"record:{key}"))

    def wait_for(self, key: str, *names: str, timeout: float = 30) -> None:
        """Wait until all these were written under a key."""
        until(lambda: set(names) <= set(self(key)), f"{key}: {names}, not {self(key)}", timeout)

    def wait_for_count(self, key: str, count: int, timeout: float = 30) -> None:
        """Wait until so much was written under a key."""
        what = f"{count} times {key}"
        until(lambda: self.count(key) >= count, what, timeout)

    def let_go(self, *names: str) -> None:
        """Let jobs end that hold."""
        for name in names:
            self._redis.set(f"go:{name}", 1)

    def where(self) -> list[tuple[int, Any]]:
        """Which process ran which job, in order."""
        return [tuple(json.loads(line)) for line in self("where")]


def pid_of(identity: str) -> int:
    """The pid in the identity of a process."""
    return int(identity.rsplit(":", 2)[1])


def is_running(pid: int) -> bool:
    """Whether there is such a process; not so if it only waits to be buried."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


StartNode = Callable[..., Node]
