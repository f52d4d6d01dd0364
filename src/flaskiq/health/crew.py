"""Crew: the processes in which a worker's pool runs jobs."""

from __future__ import annotations

from time import monotonic
from typing import Any, NamedTuple

from flaskiq.health.trouble import TroubleError
from flaskiq.runtime import pools
from flaskiq.runtime.facts import is_awake, is_stopped


class Member(NamedTuple):
    """One process; ``busy`` jobs run in it, None if nobody knows."""

    pid: int
    is_ready: bool
    is_silent: bool
    is_quiet: bool
    busy: int | None


class Crew:
    """What is known of them; after ``patience`` seconds of silence there is trouble.

    The children of our pool look after their threads several times a second, and say so in shared
    memory. Those of prefork cannot be asked: of them it is known whether they live and are not
    frozen. Other pools have no process but the worker's own.
    """

    def __init__(self, pool: Any, patience: float) -> None:
        self._pool, self._patience = pool, patience
        self._name = pools.pool_name(type(pool))
        self._short_since: float | None = None

    @property
    def members(self) -> list[Member]:
        """All that live."""
        if self._name == pools.OURS:
            return [self._child(each) for each in self._pool.children]
        return [
            Member(each.pid, is_awake(each.pid), is_stopped(each.pid), is_quiet=False, busy=None)
            for each in (list(self._billiard._pool) if self._billiard else ())  # noqa: SLF001
            if each.pid is not None
        ]

    def _child(self, child: Any) -> Member:
        return Member(
            child.pid,
            child.is_ready,
            child.is_silent(self._patience),
            child.is_quiet,
            len(child.executing()),
        )

    @property
    def _billiard(self) -> Any:
        """What runs the processes of prefork; None for another pool."""
        return self._pool._pool if self._name == "prefork" else None  # noqa: SLF001

    @property
    def wanted(self) -> int:
        """How many there are to be; 0 if the pool has none."""
        if self._name == pools.OURS:
            return int(self._pool.limit)
        return int(self._billiard._processes) if self._billiard else 0  # noqa: SLF001

    def note(self) -> None:
        """Look whether all are there: one that has just ended is replaced in a moment."""
        if self._missing <= 0:
            self._short_since = None
        elif self._short_since is None:
            self._short_since = monotonic()

    @property
    def _missing(self) -> int:
        return self.wanted - sum(each.is_ready for each in self.members)

    def look(self) -> str:
        """Say how many there are.

        Raises:
            TroubleError: one does not react, or some are missing for too long.
        """
        members = self.members
        silent = [str(each.pid) for each in members if each.is_silent]
        if silent:
            raise TroubleError(f"process {', '.join(silent)} does not react")
        since, missing = self._short_since, self._missing
        if since is not None and missing > 0 and monotonic() - since > self._patience:
            raise TroubleError(f"{missing} of {self.wanted} processes are missing")
        return f"{len(members)} processes live" if self.wanted else "jobs run in this process"
