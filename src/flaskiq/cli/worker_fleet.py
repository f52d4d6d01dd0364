"""WorkerFleet: the workers of the current app, as commands steer them."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import click
from redis import RedisError

from flaskiq.api import Process, ProcessSet
from flaskiq.cli.worker_record import Record, Records, node_of

LOOK = 0.1
"""Seconds between two looks at a worker that ends."""

ASK = 1.0
"""Seconds between two questions to Redis for what runs."""


class Member(Protocol):
    """A running worker: one with a record here, or another."""

    @property
    def name(self) -> str: ...
    @property
    def is_alive(self) -> bool: ...
    def stop(self) -> None: ...
    def quiet(self) -> None: ...


@dataclass(frozen=True)
class Remote:
    """A worker without a record: it is told through Redis, on any host."""

    name: str

    @property
    def is_alive(self) -> bool:
        """Whether one of its processes lives."""
        return any(True for _ in self._processes())

    def stop(self) -> None:
        """Tell it to end when its jobs have."""
        for process in self._processes():
            process.stop()

    def quiet(self) -> None:
        """Tell it to fetch no more jobs."""
        for process in self._processes():
            process.quiet()

    def _processes(self) -> Iterator[Process]:
        return (process for process in ProcessSet() if process.node == self.name)

    def __str__(self) -> str:
        return self.name


class WorkerFleet:
    """Workers by their records; one without a record only if it is named."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def choose(self, name: str | None) -> Sequence[Member]:
        """Return the worker of a name, else all of this app on this host.

        Raises:
            click.ClickException: no worker of that name runs.
        """
        records = list(self._records)
        if name is None:
            return [*records, *self._others({record.name for record in records})]
        node = node_of(name)
        here: list[Member] = [record for record in records if record.name == node]
        chosen = here or [Remote(node)]
        if not chosen[0].is_alive:
            names = sorted({record.name for record in records} | _nodes())
            raise click.ClickException(
                f"No worker {node} runs; there are: {', '.join(names) or 'none'}."
            )
        return chosen

    def started_here(self, name: str | None) -> list[Record]:
        """Return the same, with the flags that they were started with.

        Raises:
            click.ClickException: there is none, or its flags are not known.
        """
        members = self.choose(name)
        records = [member for member in members if isinstance(member, Record)]
        if not records:
            who = f"{members[0]} was not" if members else "No worker was"
            raise click.ClickException(
                f"{who} started in this folder by `flaskiq worker start`, so there are no flags to "
                "restart it with."
            )
        for other in members[len(records) :]:
            click.echo(f"{other} was not started in this folder: restart it there.", err=True)
        return records

    def stop(self, members: Sequence[Member], seconds: float) -> None:
        """Stop workers and wait for their end; meanwhile it is said what is waited for.

        Raises:
            click.ClickException: one has not ended within ``seconds``.
        """
        for member in members:
            member.stop()
        still = _wait(members, lambda member: not member.is_alive, seconds)
        for member in members:
            if isinstance(member, Record) and member not in still:
                self._records.remove(member)
        if still:
            raise click.ClickException(
                f"Not ended after {seconds:g} s: {_names(still)}. Wait longer with --timeout; the "
                "signal QUIT makes a worker put its jobs back and end at once."
            )

    def await_return(self, record: Record, seconds: float) -> None:
        """Wait until a worker that starts again in its own place is ready.

        Raises:
            click.ClickException: it has ended for good, or is not ready after ``seconds``.
        """

        def is_back(member: Member) -> bool:
            current = self._records.get(member.name)
            return current is not None and current.is_ready

        late = _wait([record], lambda each: not each.is_alive or is_back(each), seconds)
        if late:
            raise click.ClickException(f"Not ready after {seconds:g} s: {record}.")
        if not is_back(record):
            raise click.ClickException(
                f"{record} has ended and did not start again: start it where it ran."
            )

    def _others(self, here: set[str]) -> list[Remote]:
        """The workers of this app on this host that no record speaks of."""
        try:
            processes = list(ProcessSet())
        except RedisError:
            return []  # signals need no Redis
        app, host = self._records.app, socket.gethostname()
        nodes = {each.node for each in processes if (each.app, each.host) == (app, host)}
        return [Remote(node) for node in sorted(nodes - here)]


def _wait(
    members: Sequence[Member], is_done: Callable[[Member], bool], seconds: float
) -> list[Member]:
    """Wait until all are done, say what for, and return those that are not."""
    deadline = time.monotonic() + seconds
    said, ask_at = "", 0.0
    while waiting := [member for member in members if not is_done(member)]:
        now = time.monotonic()
        if now > deadline:
            break
        if now > ask_at:
            ask_at, text = now + ASK, _describe(waiting)
            if text != said:
                click.echo(text, err=True)
            said = text
        time.sleep(LOOK)
    return waiting


def _describe(members: Sequence[Member]) -> str:
    try:
        busy = Counter[str]()
        for process in ProcessSet():
            busy[process.node] += process.busy
    except RedisError:
        return f"Waiting for {_names(members)}; Redis does not answer, so for how many jobs is open"
    count = sum(busy[member.name] for member in members)
    return f"Waiting for {_names(members)}: {count or 'no'} running job{'s' * (count != 1)}"


def _names(members: Sequence[Member]) -> str:
    return ", ".join(map(str, members))


def _nodes() -> set[str]:
    return {process.node for process in ProcessSet()}
