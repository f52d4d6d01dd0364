"""ChildProcess: one child, as the node sees it."""

from __future__ import annotations

import os
import signal
import socket
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, NamedTuple

from flaskiq.runtime.facts import is_awake
from flaskiq.runtime.pool.slots import Execution, Slots
from flaskiq.runtime.pool.template import Template, TemplateGoneError
from flaskiq.runtime.pool.wire import Wire
from flaskiq.tally import Ends


class Heard(NamedTuple):
    """What a child has counted: the jobs of each task that it has run, attempts that ended, and
    how often Redis was out of reach."""

    totals: Counter[str]
    ends: Counter[Ends]
    outages: int


@dataclass(eq=False)
class ChildProcess:
    """A child that lives, or that has ended and is not settled yet.

    One that ``waits_for`` another fetches nothing before that one ``is_done`` and runs no more. One
    ``is_retiring`` that is to be replaced, and was told to stop ``stopped_at``, of the monotonic
    clock.

    ``revoked`` and ``timed_out`` are the seqs of jobs for which it was killed; for the others that
    it ran then, nothing is counted. ``early`` are the messages of jobs that it runs and that were
    acknowledged before: of them Redis knows nothing any more.
    """

    index: int
    pid: int
    slots: Slots
    wire: Wire
    template: Template
    identity: str | None = None
    earlier: list[str] = field(default_factory=list)
    waits_for: ChildProcess | None = None
    is_ready: bool = False
    is_done: bool = False
    is_quiet: bool = False
    begun_at: float = field(default_factory=monotonic)
    is_retiring: bool = False
    stopped_at: float | None = None
    was_killed: bool = False
    has_reported: bool = False
    revoked: set[int] = field(default_factory=set)
    timed_out: dict[int, float] = field(default_factory=dict)
    early: dict[int, bytes] = field(default_factory=dict)
    code: int | None = None

    def tell(self, **order: Any) -> None:
        """Give it an order (``Child._on_...``)."""
        self.wire.send(order)

    def hear(self) -> Heard:
        """Take in what it has told; return what it has counted since."""
        totals: Counter[str] = Counter()
        ends: Counter[Ends] = Counter()
        outages = 0
        self.has_reported = False
        for told in self.wire.receive():
            self.has_reported = self.has_reported or "is_report" in told
            self.is_ready = self.is_ready or "ready" in told
            self.is_done = self.is_done or "done" in told
            totals.update(told.get("totals") or {})
            ends.update({Ends(*kind): number for kind, number in told.get("ends") or ()})
            outages += told.get("outages") or 0
            if "early" in told:
                seq, message = told["early"]
                self.early[seq] = message.encode()
            if "late" in told:
                self.early.pop(told["late"], None)
            if "identity" in told:
                if self.identity is not None:
                    self.earlier.append(self.identity)
                self.identity = told["identity"]
        return Heard(totals, ends, outages)

    def executing(self) -> list[Execution]:
        """Return what it executes, or was executing when it ended."""
        return self.slots.executing()

    def has_ended(self) -> bool:
        """Whether it is over; ``code`` says how then, below 0 for a signal."""
        if self.code is None:
            self.code = self._ask()
        return self.code is not None

    @property
    def is_awake(self) -> bool:
        """Whether it is there and not stopped: one that is frozen is to seem dead."""
        return is_awake(self.pid)

    def is_silent(self, seconds: float) -> bool:
        """Whether it has not looked after its threads for so long, and nothing explains that.

        A job may keep the interpreter, and who has not begun may wait for Redis.
        """
        if monotonic() - max(self.begun_at, self.slots.looked_at) <= seconds:
            return False
        return not (self.is_awake and (self.executing() or not self.is_ready))

    def _ask(self) -> int | None:
        try:
            return self.template.wait(self.pid)
        except TemplateGoneError:
            return self._look()

    def _look(self) -> int | None:
        """Find out without the template, to which it belonged; how it ended, nobody knows."""
        with suppress(ChildProcessError):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            return os.waitstatus_to_exitcode(status) if pid else None
        return -signal.SIGKILL if self.wire.is_closed else None

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it is there."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill_for(self, execution: Execution, seconds: float | None = None) -> bool:
        """End it for one of its jobs, if that still runs; look again while it cannot move.

        ``seconds`` are the hard limit that the job has exceeded, None for one that was revoked.
        """
        self.send_signal(signal.SIGSTOP)
        runs = execution in self.executing() and not self.slots.has_finished(execution.seq)
        if runs:
            if seconds is None:
                self.revoked.add(execution.seq)
            else:
                self.timed_out[execution.seq] = seconds
            self.kill()
        self.send_signal(signal.SIGCONT)
        return runs

    def stop(self) -> None:
        """Let it leave after its jobs."""
        self.is_retiring, self.stopped_at = True, monotonic()
        self.tell(stop=True)

    def go(self) -> None:
        """Let it fetch."""
        self.waits_for = None
        self.tell(go=True)

    def kill(self) -> None:
        """End it at once."""
        self.was_killed = True
        self.send_signal(signal.SIGKILL)


def pair() -> tuple[Wire, socket.socket]:
    """Return the node's end of a wire, and the socket for the child."""
    ours, theirs = socket.socketpair()
    return Wire(ours), theirs
