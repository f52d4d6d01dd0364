"""The processes that fetch: who lives, who has died, and what they had in flight."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from redis import Redis

from flaskiq.store import script
from flaskiq.store.keys import Keys
from flaskiq.store.place import Placed
from flaskiq.store.reading import Reading, readable, together

LATEST = 900
"""Seconds after which no command of a lost process arrives any more: TCP has given up."""


Facts = Mapping[str, str | int | float]
"""What a process tells of itself."""

NOTHING: Facts = MappingProxyType({})


class Fetched(NamedTuple):
    """A job that was fetched, and the queue it came from; ``tag`` is its delivery tag."""

    seq: int
    tag: str
    queue: str
    message: bytes


Fetch = tuple[int, list[Fetched]]
"""How many of the acknowledged fields were still in flight, and the jobs that came."""


def read_fetch(reply: Sequence[Any], queues: Sequence[str]) -> Fetch:
    """Read the reply of the script; ``queues`` are those of the lists of the call."""
    jobs, at = [], 1
    while at < len(reply):  # of one job, quicker than a comprehension in a process that slept
        seq = reply[at]
        jobs.append(Fetched(seq, str(seq), queues[reply[at + 1] - 1], reply[at + 2]))
        at += 3
    return reply[0], jobs


class Pulse(NamedTuple):
    """What a heartbeat tells; a process that is not ``alive`` was declared dead.

    ``inflight`` are the seqs that it has in flight.
    """

    alive: bool
    paused: frozenset[str]
    inflight: frozenset[int]


class Survey(NamedTuple):
    """What a reaper sees; ``run_id`` changes when the server restarts."""

    run_id: bytes
    silent: list[str]
    lost: list[str]


class Processes:
    """Heartbeats and in-flight records."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client: Any = client  # redis-py types one return for sync and async
        self._keys = keys
        self._beat = script.load(client, "beat")
        self._requeue = script.load(client, "requeue")
        self._put_back = script.load(client, "put_back")
        self._declare_dead = script.load(client, "declare_dead")
        self._survey = script.load(client, "survey")
        self._deregister = script.load(client, "deregister")

    def register(self, process: str, ttl: float, facts: Facts = NOTHING) -> Pulse:
        """Let a process fetch, and beat for the first time: without, a reaper would bury it."""
        return self._tell(process, ttl, facts, begins=True)

    def beat(self, process: str, ttl: float, facts: Facts = NOTHING) -> Pulse:
        """Say that a process lives, for ``ttl`` seconds, and what it tells of itself."""
        return self._tell(process, ttl, facts)

    def _tell(self, process: str, ttl: float, facts: Facts, *, begins: bool = False) -> Pulse:
        keys = [
            self._keys.heartbeat(process),
            self._keys.processes,
            self._keys.paused,
            self._keys.inflight(process),
            self._keys.facts(process),
            self._keys.running(process),
        ]
        told = [part for fact in facts.items() for part in fact]
        alive, paused, inflight = self._beat(keys, [process, int(ttl * 1000), int(begins), *told])
        return Pulse(
            bool(alive),
            frozenset(queue.decode() for queue in paused),
            frozenset(int(seq) for seq in inflight),
        )

    def deregister(self, process: str, *, is_over: bool = False) -> None:
        """Forget a process that ends; what it still has in flight is left to the reapers.

        Unless it ``is_over``, with nothing on its way, it is lost: a fetch of it may come late.
        """
        keys = [
            self._keys.processes,
            self._keys.lost_processes,
            self._keys.heartbeat(process),
            self._keys.facts(process),
            self._keys.running(process),
            self._keys.inflight(process),
        ]
        self._deregister(keys, [process, int(not is_over)])

    @readable
    def live(self) -> Reading[set[str]]:
        """The processes that may fetch."""
        (found,) = yield [("SMEMBERS", self._keys.processes)]
        return {each.decode() for each in found}

    @readable
    def lost(self) -> Reading[set[str]]:
        """The processes that have ended or are dead, and may have jobs in flight still."""
        (found,) = yield [("ZRANGE", self._keys.lost_processes, 0, -1)]
        return {each.decode() for each in found}

    @readable
    def facts(self) -> Reading[dict[str, dict[str, str]]]:
        """What each process that may fetch tells of itself; empty for one that is silent."""
        identities = yield from self.live.reading()
        return (yield from self.facts_of(sorted(identities)))

    def facts_of(self, identities: Sequence[str]) -> Reading[dict[str, dict[str, str]]]:
        """What these processes tell of themselves."""
        found = yield [("HGETALL", self._keys.facts(identity)) for identity in identities]
        return {
            identity: {name.decode(): value.decode() for name, value in facts.items()}
            for identity, facts in zip(identities, found, strict=True)
        }

    def survey(self) -> Survey:
        """Return who has no heartbeat, and who is lost and not settled yet; forget the others."""
        keys = [self._keys.processes, self._keys.lost_processes]
        prefixes = [self._keys.heartbeat(""), self._keys.inflight("")]
        run_id, silent, lost = self._survey(keys, [*prefixes, LATEST])
        return Survey(run_id, [each.decode() for each in silent], [each.decode() for each in lost])

    def declare_dead(self, process: str) -> bool:
        """Declare a process dead if it has no heartbeat; return whether that happened now."""
        keys = [
            self._keys.heartbeat(process),
            self._keys.processes,
            self._keys.lost_processes,
            self._keys.promoter,
        ]
        return bool(self._declare_dead(keys, [process]))

    def load_fetch(self) -> None:
        """Give the server the fetch script, which it loses when it restarts."""
        self._client.script_load(script.source("fetch"))

    def acknowledge(self, process: str, seqs: Sequence[int]) -> int:
        """Take finished jobs out of flight; return how many were still there."""
        return int(self._client.hdel(self._keys.inflight(process), *map(str, seqs)))

    def inflight(self, process: str) -> dict[int, bytes]:
        """What a process has in flight, packed, by seq."""
        found = self._client.hgetall(self._keys.inflight(process))
        return {int(seq): value for seq, value in found.items()}

    @readable
    def in_flight(self) -> Reading[int]:
        """How many jobs are in flight, in processes that died, too; two trips."""
        live, lost = yield from together(self.live.reading(), self.lost.reading())
        found = yield [("HLEN", self._keys.inflight(each)) for each in sorted(live | lost)]
        return sum(found)

    def inflight_value(self, process: str, seq: int) -> bytes | None:
        """One job in flight, packed; None if it is not in flight any more."""
        value: bytes | None = self._client.hget(self._keys.inflight(process), str(seq))
        return value

    def requeue(self, process: str, seqs: Iterable[int]) -> int:
        """Push jobs back to the front of their lists; return how many were still in flight."""
        newest_first = sorted(seqs, reverse=True)
        if not newest_first:
            return 0
        return int(self._requeue([self._keys.inflight(process)], [self._keys.wake, *newest_first]))

    def put_back(self, process: str, seq: int, value: bytes, message: bytes) -> bool:
        """Push a job of a lost process back with a new message; False if it has gone on."""
        placed = Placed.unpack(value)
        keys = [self._keys.inflight(process), placed.list, self._keys.wake + placed.queue]
        return bool(self._put_back(keys, [seq, value, message]))
