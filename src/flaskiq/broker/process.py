"""Process: one fetching process, with a heartbeat and an in-flight record of its own."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from redis import RedisError

from flaskiq.broker.hand import Hand
from flaskiq.broker.outages import outages
from flaskiq.broker.owed import Owed
from flaskiq.store.processes import Facts, Pulse
from flaskiq.store.server import require_floor
from flaskiq.store.store import Store
from flaskiq.tally import Tally

logger = logging.getLogger(__name__)

BEATS = 3
"""Heartbeats in one TTL."""


class Process:
    """What this operating system process has fetched from one database.

    It outlives connections: after a reconnect the same process goes on, with the same jobs in hand.
    A heartbeat in a thread of its own keeps it alive while a job holds the event loop.
    """

    def __init__(self, make_store: Callable[[float], Store], ttl: float) -> None:
        self.id = new_identity()
        self.hand = Hand()
        self.owed = Owed()
        self.serves_a_worker = False
        self.is_stopping = False
        self.paused: frozenset[str] = frozenset()
        self.facts: Callable[[], Facts] = dict
        self.is_quiet = False
        self._tally: Tally | None = None
        self._was_declared_dead = False
        self._last_beat = 0.0
        self._make_store = make_store
        self.ttl = ttl
        self._store: Store | None = None
        self._suspects: set[int] = set()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Register, and beat from now on; again after a stop it is a new process.

        Raises:
            ServerError: the server is too old.
        """
        with self._lock:
            if self._thread is not None:
                return
            require_floor(self.store.client)
            self._feel(self.store.processes.register(self.id, self.ttl, self._facts()))
            self._thread = threading.Thread(
                target=self._beat,
                args=(self.store, self.id, self._stopped),
                name="flaskiq-heartbeat",
                daemon=True,
            )
            self._thread.start()

    def leave(self) -> None:
        """End: no more heartbeat, no more fetch. What is in flight is given to others."""
        with self._lock:
            self._stopped.set()
            if self._thread is not None:
                with suppress(RedisError):  # then the reapers find out by themselves
                    self.store.processes.deregister(self.id, is_over=self.hand.is_settled)
            self._reset()
            self.is_stopping = self.is_quiet = False  # another worker of this program may begin

    @property
    def is_taken_for_dead(self) -> bool:
        """Whether others have been given what is in flight here.

        The last heartbeat has told; after a pause as long as a TTL, for which this process may have
        been frozen, it is asked again.

        Raises:
            redis.RedisError: it had to be asked, and Redis cannot be reached.
        """
        if monotonic() - self._last_beat > self.ttl:
            self._feel(self.store.processes.beat(self.id, self.ttl))
        return self._was_declared_dead

    def renew(self) -> None:
        """Go on under a new identity, with nothing in hand: this one was declared dead."""
        with self._lock:
            self._stopped.set()
            self.store.processes.deregister(self.id)
            self.hand.give_away()
            self._reset()
        self.start()

    def _feel(self, pulse: Pulse) -> None:
        self._last_beat = monotonic()
        self._was_declared_dead = not pulse.alive
        self.paused = pulse.paused

    def _reset(self) -> None:
        self.id = new_identity()
        self._stopped = threading.Event()
        self._thread = None
        self._was_declared_dead = False
        self._suspects.clear()
        self.hand.clear()

    @property
    def store(self) -> Store:
        """The store of this process, over connections that outlive every channel.

        It waits for an answer no longer than from one heartbeat to the next: on a connection that
        leads nowhere any more, without a word, the process would die of silence.
        """
        if self._store is None:
            self._store = self._make_store(self.ttl / BEATS)
        return self._store

    @property
    def tally(self) -> Tally:
        """What has ended here and is not recorded yet."""
        if self._tally is None:
            with self._lock:  # two threads may ask for it first
                self._tally = self._tally or Tally(self.store.statistics.history.jobs)
        return self._tally

    def may_start(self, tag: str, *, begins: bool = False) -> bool:
        """Whether a job in hand is still ours to run; ``begins``: it does, if it may.

        If nobody can tell, since Redis is out of reach and the heartbeat has paused, it is dropped
        from hand: it goes back to its queue when Redis can be reached (:meth:`_audit`).
        """
        try:
            if self.is_taken_for_dead:
                return False
        except RedisError:
            self.hand.release(tag)
        return self.hand.begin(tag) if begins else self.hand.is_ours(tag)

    def _facts(self) -> Facts:
        """What it tells of itself; whatever goes wrong in that must not keep it from beating."""
        try:
            return self.facts()
        except Exception:
            logger.exception("%s cannot describe itself", self.id)
            return {}

    def reconcile(self, store: Store) -> int:
        """Push back what is in flight here but not in hand: a reply was lost on its way.

        Returns the number of jobs pushed back. To be called while no fetch is under way.
        """
        self.hand.leap()
        known = self.hand.known()
        stranded = store.processes.inflight(self.id).keys() - known
        return store.processes.requeue(self.id, stranded)

    def _audit(self, store: Store, unknown: frozenset[int]) -> None:
        """Push back what has been in flight for two heartbeats, and nobody here knows of.

        Whatever went wrong, no job is stranded. What is on its way in either direction is known one
        heartbeat later.
        """
        stranded = unknown & self._suspects
        self._suspects = set(unknown - stranded)
        if stranded:
            store.processes.requeue(self.id, stranded)
            logger.warning("Pushed back %d jobs that were stranded in flight", len(stranded))

    def _beat(self, store: Store, identity: str, stopped: threading.Event) -> None:
        pause = usual = self.ttl / BEATS
        reached = True
        while not stopped.wait(pause):
            reached = self._beat_once(store, identity, was_reached=reached)
            pause = usual if reached else usual / BEATS

    def _beat_once(self, store: Store, identity: str, *, was_reached: bool) -> bool:
        """Return whether Redis was reached; say so when that has changed."""
        known = self.hand.known()
        try:
            pulse = store.processes.beat(identity, self.ttl, self._facts())
            if identity == self.id:
                self._feel(pulse)
                self._audit(store, pulse.inflight - known)
        except RedisError as error:
            outages.note()
            if was_reached:
                logger.warning("No heartbeat of %s: %s", identity, error)
            return False
        except Exception:
            # Whatever it is, it must not end the thread: silence would start running jobs again.
            logger.exception("The heartbeat of %s has failed, and goes on", identity)
            return False
        if not was_reached:
            logger.info("The heartbeat of %s goes on", identity)
        return True


def new_identity() -> str:
    """Return ``host:pid:nonce``, as Sidekiq names its processes."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


_processes: dict[tuple[int, str, str], Process] = {}
_lock = threading.Lock()


def this_process(
    url: str, prefix: str, make_store: Callable[[float], Store], ttl: float
) -> Process:
    """Return the Process of this program for a database; a forked child has one of its own."""
    with _lock:
        key = (os.getpid(), url, prefix)
        if key not in _processes:
            _processes[key] = Process(make_store, ttl)
        return _processes[key]


def processes() -> list[Process]:
    """Return every Process of this program."""
    with _lock:
        return [process for (pid, _, _), process in _processes.items() if pid == os.getpid()]
