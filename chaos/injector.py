"""The injector: brings faults about, and records what each hit and when."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from chaos import faults
from chaos.faults import Fault
from chaos.fleet import Fleet, Member, kill_process
from chaos.posts import TRAP
from chaos.server import Server

T = TypeVar("T")
MOST_TRAPPED = 3
"""Jobs at most that one fault of an idle worker needs."""

TARGET_WITHIN = 60
"""Seconds in which a worker must become fit for a fault."""


class Injector:
    """``ttl`` is the heartbeat's in seconds; ``push_trap`` sends jobs to the idle worker."""

    def __init__(
        self,
        server: Server,
        fleet: Fleet,
        chance: random.Random,
        ttl: float,
        push_trap: Callable[[int], None],
    ) -> None:
        self._server = server
        self._fleet = fleet
        self._chance = chance
        self._ttl = ttl
        self._push_trap = push_trap
        self._stops_first = False
        self._frozen: list[tuple[float, Member, Fault]] = []
        self.done: list[Fault] = []

    def inject(self, kind: str) -> None:
        """Bring one fault about, as soon as a worker is fit for it."""
        {
            faults.WORKER_KILL: self._kill_worker,
            faults.CHILD_KILL: self._kill_child,
            faults.FETCH_KILL: self._kill_in_fetch,
            faults.FREEZE: self._freeze,
            faults.CUT: self._cut,
            faults.SERVER_KILL: self._kill_server,
        }[kind]()

    def pause(self, seconds: float) -> None:
        """Let time pass; workers that ended are started, frozen ones go on when it is time."""
        deadline = time.monotonic() + seconds
        while True:
            self._fleet.tend()
            self._thaw()
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.05))

    def finish(self) -> None:
        """Wait until no worker is frozen."""
        while self._frozen:
            self.pause(0.05)

    def _kill_worker(self) -> None:
        member = self._pick(self._at_work)
        begin = time.monotonic()
        self._fleet.kill(member)
        self._record(faults.WORKER_KILL, begin, member)

    def _kill_child(self) -> None:
        member = self._pick(lambda: [each for each in self._at_work() if each.children()])
        child = self._chance.choice(member.children())
        begin = time.monotonic()
        kill_process(child)
        self._record(faults.CHILD_KILL, begin, member, pid=child.pid)

    def _kill_in_fetch(self) -> None:
        """Kill the idle worker while another process pushes; the first time and every other time
        it is stopped first, so that the server has answered and nobody has read the answer."""
        member = self._pick(self._waiting_in_trap)
        begin = time.monotonic()
        self._stops_first = not self._stops_first
        if self._stops_first:
            self._stop_in_fetch(member)
        else:
            self._push_trap(self._chance.randint(1, 3))
            time.sleep(self._chance.uniform(0, 0.02))
        self._fleet.kill(member)
        self._record(faults.FETCH_KILL, begin, member)

    def _stop_in_fetch(self, member: Member) -> None:
        """Stop a worker whose fetch takes a job; the wait before the fetch may end too early."""
        for _ in range(MOST_TRAPPED):
            member.stop()
            self._push_trap(1)
            self._until(lambda: not self._is_blocked(member), 2)
            if not self._until(lambda: self._server.client.llen(TRAP.name), 0.5):
                return
            member.signal(signal.SIGCONT)
            self._until(self._waiting_in_trap, TARGET_WITHIN)
            member.stop()

    def _freeze(self) -> None:
        member = self._pick(self._at_work)
        begin = time.monotonic()
        member.stop()
        member.frozen = True
        until = time.monotonic() + self._ttl + self._chance.uniform(1, 3)
        fault = Fault(faults.FREEZE, begin, time.monotonic(), until, member.name)
        self._frozen.append((until, member, fault))

    def _thaw(self) -> None:
        for entry in [entry for entry in self._frozen if entry[0] <= time.monotonic()]:
            self._frozen.remove(entry)
            _, member, fault = entry
            member.signal(signal.SIGCONT)
            member.frozen = False
            self.done.append(fault._replace(over=time.monotonic()))

    def _cut(self) -> None:
        member = self._pick(lambda: [each for each in self._ready() if self._connections(each)])
        begin = time.monotonic()
        for connection in self._connections(member):
            self._server.client.client_kill_filter(_id=connection["id"])
        self._record(faults.CUT, begin, member)

    def _kill_server(self) -> None:
        """Mostly for a moment, now and then for longer than the heartbeat's TTL."""
        begin = time.monotonic()
        self._server.kill()
        struck = time.monotonic()
        long = self._chance.random() < 0.2
        self.pause(self._ttl + 1 if long else self._chance.uniform(0, 1.5))
        self._server.start()
        self.done.append(Fault(faults.SERVER_KILL, begin, struck, time.monotonic()))

    def _record(self, kind: str, begin: float, member: Member, pid: int | None = None) -> None:
        now = time.monotonic()
        self.done.append(Fault(kind, begin, now, now, member.name, pid))

    def _pick(self, candidates: Callable[[], Iterable[Member]]) -> Member:
        found = self._until(lambda: list(candidates()), TARGET_WITHIN)
        if not found:
            raise RuntimeError(f"no worker was fit for the fault within {TARGET_WITHIN} s")
        return self._chance.choice(found)

    def _until(self, condition: Callable[[], T], seconds: float) -> T:
        deadline = time.monotonic() + seconds
        while not (value := condition()) and time.monotonic() < deadline:
            self.pause(0.01)
        return value

    def _ready(self) -> list[Member]:
        return [member for member in self._fleet.members.values() if member.ready]

    def _at_work(self) -> list[Member]:
        return [member for member in self._ready() if member.post != TRAP]

    def _waiting_in_trap(self) -> list[Member]:
        if self._server.client.llen(TRAP.name):
            return []
        trapped = (member for member in self._ready() if member.post == TRAP)
        return [member for member in trapped if self._is_blocked(member)]

    def _is_blocked(self, member: Member) -> bool:
        return any("b" in connection["flags"] for connection in self._connections(member))

    def _connections(self, member: Member) -> list[dict[str, Any]]:
        """What the server knows of the connections of a worker."""
        ports = member.ports(self._server.port)
        known: Iterator[dict[str, Any]] = iter(self._server.client.client_list(_type="normal"))
        return [each for each in known if int(each["addr"].rpartition(":")[2]) in ports]
