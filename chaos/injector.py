"""The injector: brings faults about, and records what each hit and when."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

import psutil

from chaos import faults
from chaos.faults import Fault
from chaos.fleet import Fleet, Member, kill_process, stop_process
from chaos.posts import TRAP
from chaos.server import Server

T = TypeVar("T")
MOST_TRAPPED = 3
"""Jobs at most that one fault of an idle worker needs."""

TARGET_WITHIN = 60
"""Seconds in which a worker must become fit for a fault."""


WHOLE = 0.3
"""How often all of an idle worker is killed, if one of its processes could be."""


AIMED, AIMS_FOR = 0.7, 1.0
"""How often a fault waits for a worker with jobs in flight that it has not begun, and how long."""


class Target(NamedTuple):
    """What a fault hits: a worker, or one process of it."""

    member: Member
    process: psutil.Process | None = None

    def is_laden(self, held: Mapping[int, int]) -> bool:
        """Whether one of its processes has jobs in flight that it has not begun."""
        pids = [self.process.pid] if self.process else self.member.pids
        return any(held.get(pid, 0) > self.member.shape.threads for pid in pids)


class Injector:
    """``ttl`` is the heartbeat's in seconds; ``push_trap`` sends jobs to the idle worker, whose
    process waits in the server with so many ``waits``."""

    def __init__(
        self,
        server: Server,
        fleet: Fleet,
        chance: random.Random,
        ttl: float,
        push_trap: Callable[[int], None],
        waits: int,
    ) -> None:
        self._server = server
        self._fleet = fleet
        self._chance = chance
        self._ttl = ttl
        self._push_trap = push_trap
        self._waits = waits
        self._stops_first = False
        self._frozen: list[tuple[Callable[[], None], Fault]] = []
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
            faults.PARENT_KILL: self._kill_parent,
            faults.TEMPLATE_KILL: self._kill_template,
            faults.CHILD_FREEZE: self._freeze_child,
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
        member, _ = self._pick(self._workers_at_work)
        self._strike(faults.WORKER_KILL, partial(self._fleet.kill, member), member)

    def _kill_parent(self) -> None:
        member, _ = self._pick(self._workers_at_work)
        self._strike(faults.PARENT_KILL, partial(self._fleet.kill_parent, member), member)

    def _kill_template(self) -> None:
        member, _ = self._pick(self._workers_with_template)
        if template := member.template():
            self._strike(faults.TEMPLATE_KILL, partial(kill_process, template), member)

    def _kill_child(self) -> None:
        member, child = self._pick(self._children_at_work)
        assert child
        self._strike(faults.CHILD_KILL, partial(kill_process, child), member, child)

    def _kill_in_fetch(self) -> None:
        """Kill the idle worker, or its only process that fetches, while another process pushes; the
        first time and every other time it is stopped first, so that the server has answered and
        nobody has read the answer."""
        member, _ = self._pick(self._waiting_in_trap, aims=False)
        children = member.children() if member.is_ours else []
        child = children[0] if children and self._chance.random() > WHOLE else None
        self._stops_first = not self._stops_first

        def kill() -> None:
            if self._stops_first:
                self._stop_in_fetch(member, child)
            else:
                self._push_trap(self._chance.randint(1, 3))
                time.sleep(self._chance.uniform(0, 0.02))
            if child:
                kill_process(child)
            else:
                self._fleet.kill(member)

        self._strike(faults.FETCH_KILL, kill, member, child)

    def _stop_in_fetch(self, member: Member, child: psutil.Process | None) -> None:
        """Stop a worker whose fetch takes a job; the wait before the fetch may end too early."""
        stop = partial(stop_process, child) if child else member.stop
        for _ in range(MOST_TRAPPED):
            stop()
            self._push_trap(1)
            self._until(lambda: not self._is_waiting(member), 2)
            if not self._until(lambda: self._server.client.llen(TRAP), 0.5):
                return
            member.signal(signal.SIGCONT)
            self._until(self._waiting_in_trap, TARGET_WITHIN)
        stop()

    def _freeze(self) -> None:
        member, _ = self._pick(self._workers_at_work)

        def thaw() -> None:
            member.signal(signal.SIGCONT)
            member.frozen = False

        self._strike(faults.FREEZE, member.stop, member)
        member.frozen = True
        self._leave_frozen(thaw)

    def _freeze_child(self) -> None:
        """The rest of the worker goes on, and is hit by other faults meanwhile."""
        member, child = self._pick(self._children_at_work)
        assert child

        def thaw() -> None:
            with suppress(psutil.NoSuchProcess):
                child.resume()

        self._strike(faults.CHILD_FREEZE, partial(stop_process, child), member, child)
        self._leave_frozen(thaw)

    def _leave_frozen(self, thaw: Callable[[], None]) -> None:
        """Put off the end of the last fault."""
        fault = self.done.pop()
        over = fault.struck + self._ttl + self._chance.uniform(1, 3)
        self._frozen.append((thaw, fault._replace(over=over)))

    def _thaw(self) -> None:
        for entry in [entry for entry in self._frozen if entry[1].over <= time.monotonic()]:
            self._frozen.remove(entry)
            thaw, fault = entry
            thaw()
            self.done.append(fault._replace(over=time.monotonic()))

    def _cut(self) -> None:
        member, _ = self._pick(self._connected)

        def cut() -> None:
            for connection in self._connections(member):
                self._server.client.client_kill_filter(_id=connection["id"])

        self._strike(faults.CUT, cut, member)

    def _kill_server(self) -> None:
        """Mostly for a moment, now and then for longer than the heartbeat's TTL."""
        begin = time.monotonic()
        self._server.kill()
        struck = time.monotonic()
        long = self._chance.random() < 0.2
        self.pause(self._ttl + 1 if long else self._chance.uniform(0, 1.5))
        self._server.start()
        self.done.append(Fault(faults.SERVER_KILL, begin, struck, time.monotonic()))

    def _strike(
        self,
        kind: str,
        blow: Callable[[], None],
        member: Member,
        child: psutil.Process | None = None,
    ) -> None:
        """Hit a worker, or one process of it, and record that."""
        held, pids = self._held(), [child.pid] if child else member.pids
        begin = time.monotonic()
        blow()
        struck, pid = time.monotonic(), child.pid if child else None
        laden = sum(held[pid] for pid in pids)
        self.done.append(Fault(kind, begin, struck, struck, member.name, pid, laden))

    def _pick(self, candidates: Callable[[], Sequence[Target]], *, aims: bool = True) -> Target:
        """Choose by chance; if it ``aims``, mostly one that has more in flight than it
        runs, if there is one soon."""
        if not self._until(candidates, TARGET_WITHIN):
            raise RuntimeError(f"no worker was fit for the fault within {TARGET_WITHIN} s")

        def laden() -> list[Target]:
            targets, held = candidates(), self._held()
            return [target for target in targets if target.is_laden(held)]

        aims = aims and self._chance.random() < AIMED
        found = (aims and self._until(laden, AIMS_FOR)) or candidates()
        return self._chance.choice(found) if found else self._pick(candidates)

    def _held(self) -> Counter[int]:
        """How many jobs each process has in flight, if it runs Flaskiq."""
        client, held = self._server.client, Counter[int]()
        for key in client.scan_iter("flaskiq:inflight:*"):
            held[int(key.split(":")[-2])] += int(client.hlen(key))  # host:pid:nonce
        return held

    def _until(self, condition: Callable[[], T], seconds: float) -> T:
        deadline = time.monotonic() + seconds
        while not (value := condition()) and time.monotonic() < deadline:
            self.pause(0.02)
        return value

    def _ready(self) -> list[Member]:
        return [member for member in self._fleet.members.values() if member.ready]

    def _at_work(self) -> list[Member]:
        return [member for member in self._ready() if member.post.name != TRAP]

    def _workers_at_work(self) -> list[Target]:
        return [Target(member) for member in self._at_work() if member.tree()]

    def _children_at_work(self) -> list[Target]:
        return [Target(each, child) for each in self._at_work() for child in each.children()]

    def _workers_with_template(self) -> list[Target]:
        return [target for target in self._workers_at_work() if target.member.template()]

    def _connected(self) -> list[Target]:
        return [Target(member) for member in self._ready() if self._connections(member)]

    def _waiting_in_trap(self) -> list[Target]:
        if self._server.client.llen(TRAP):
            return []
        trapped = (member for member in self._ready() if member.post.name == TRAP)
        return [Target(member) for member in trapped if self._is_waiting(member)]

    def _is_waiting(self, member: Member) -> bool:
        blocked = [each for each in self._connections(member) if "b" in each["flags"]]
        return len(blocked) >= self._waits

    def _connections(self, member: Member) -> list[dict[str, Any]]:
        """What the server knows of the connections of a worker."""
        ports = member.ports(self._server.port)
        known: Iterator[dict[str, Any]] = iter(self._server.client.client_list(_type="normal"))
        return [each for each in known if int(each["addr"].rpartition(":")[2]) in ports]
