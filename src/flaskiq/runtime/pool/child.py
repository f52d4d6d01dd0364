"""Child: one fetching process of a node, from its fork to its end.

Its threads run jobs; the keeper listens to the parent and looks after what takes long. The end of
the parent's socket means that the parent is gone: then the child ends what it runs, acknowledges,
pushes back the rest and leaves.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import select
import socket
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from time import monotonic
from typing import Any

import psutil
from celery import Celery, signals
from celery.app import trace
from celery.worker import state
from redis import RedisError

from flaskiq.broker.outages import OUT_OF_REACH, outages
from flaskiq.broker.put import before_retry
from flaskiq.broker.results import Outbox, outboxes
from flaskiq.runtime import request, revoked, tracer
from flaskiq.runtime.facts import facts_of
from flaskiq.runtime.loops.loop import Loop
from flaskiq.runtime.loops.recorder import Recorder
from flaskiq.runtime.loops.shared import shared_loops
from flaskiq.runtime.pool.events import Events
from flaskiq.runtime.pool.executor import Executor
from flaskiq.runtime.pool.fetcher import Fetcher
from flaskiq.runtime.pool.limits import SoftLimits
from flaskiq.runtime.pool.lines import Lines, gather, said
from flaskiq.runtime.pool.slots import Memory
from flaskiq.runtime.pool.spin import processors
from flaskiq.runtime.pool.tracers import lighten
from flaskiq.runtime.pool.wire import Wire
from flaskiq.runtime.pools import OURS
from flaskiq.tally import Ends

logger = logging.getLogger(__name__)

BUSY, IDLE = 0.05, 0.25
"""Seconds between two looks of the keeper."""

LONG = 1.0
"""Seconds: behind a job that takes longer, nothing waits."""

RETRY = 0.5
"""Seconds between two tries while Redis is out of reach."""

TOTALS = 1.0
"""Seconds between two reports of how many jobs of each task have run, and how they ended."""


@dataclass(frozen=True)
class Spec:
    """How a child is to work; small, since it is sent in one packet.

    ``soft`` and ``hard`` are the worker's own limits in seconds, ``lifetime`` the jobs that the
    child runs at most before it is replaced, 0 for any number.
    """

    index: int
    hostname: str
    queues: list[str]
    threads: int
    multiplier: int
    lifetime: int
    soft: float | None
    hard: float | None
    events: bool


def worn_from(lifetime: int) -> int:
    """After how many jobs a child that runs ``lifetime`` of them asks for another in its place."""
    return lifetime - lifetime // 10


class Child:
    """What runs in the process; ``channel`` is one that nobody uses, if there is one."""

    def __init__(
        self,
        app: Celery,
        spec: Spec,
        memory: Memory,
        sock: socket.socket,
        channel: Any = None,
    ) -> None:
        self._app, self._spec, self._channel = app, spec, channel
        self._slots, self._rates = memory.slots(spec.index), memory.rates()
        vars(app)["clock"] = memory.clock()  # the stubs lack it
        self._wire = Wire(sock)
        self._limits = SoftLimits()
        self._events = Events(app, spec.hostname)
        self._events.enabled = spec.events
        self._outbox = outboxes[app] = Outbox()
        self._lines: list[Lines] = []
        self._loops: list[Loop] = []
        self._may_go = threading.Event()
        self._has_ended = threading.Event()
        self._orders: list[dict[str, Any]] = []
        self._own = psutil.Process()
        self._told_totals = 0.0
        self._told_ends: Counter[Ends] = Counter()
        self._told_outages = outages.number
        self._is_worn = False
        self._poked, self._poke = os.pipe()

    def run(self) -> None:
        """Fetch and run jobs until the parent says stop, or is gone."""
        self._await_greeting()
        channel = self._channel = self._channel or self._open_channel()
        if channel is None:
            return
        self._process = channel.process
        self._process.serves_a_worker = True
        self._fetcher = Fetcher(
            channel,
            self._slots,
            self._outbox,
            queues=self._spec.queues,
            threads=self._spec.threads,
            multiplier=self._spec.multiplier,
            tell=self._tell_identity,
        )
        self._process.facts = facts_of(
            self._app,
            self._process,
            node=self._spec.hostname,
            pool=OURS,
            concurrency=self._spec.threads,
            queues=lambda: self._fetcher.queues,
        )
        self._fetcher.before_wait = self._publish
        self._fetcher.after_send = self._write_many_lines
        self._fetcher.is_held = self._is_held
        self._executor = Executor(
            self._app,
            self._spec.hostname,
            channel,
            self._slots,
            self._limits,
            self._events,
            self._rates,
            self._fetcher.flush,
            self._wire.send,
            (self._spec.soft, self._spec.hard),
        )
        self._lines = gather()
        self._limits.install()
        self._limits.poke = self._wake_keeper
        while self._orders:
            self._obey(self._orders.pop(0))
        threading.Thread(target=self._keep, name="flaskiq-keeper", daemon=True).start()
        self._tell_identity(self._process.id)
        self._begin()
        self._start_loops()
        self._wire.send({"ready": True})
        self._may_go.wait()
        threads = [
            threading.Thread(target=self._work, args=(thread,), name=f"flaskiq-{thread}")
            for thread in range(1, self._spec.threads)
        ]
        for thread in threads:
            thread.start()
        self._work(0)
        for thread in threads:
            thread.join()
        self._wire.send({"done": True})
        self._end()

    def _await_greeting(self) -> None:
        """Fetch nothing before the parent has told what is revoked; it may be long."""
        while not (self._wire.is_closed or any("revoked" in order for order in self._orders)):
            select.select([self._wire], [], [])
            self._orders += self._wire.receive()

    def _open_channel(self) -> Any:
        """Connect to Redis; None if the parent wants no child any more before that succeeds."""
        while True:
            try:
                return _open_channel(self._app)
            except OUT_OF_REACH as error:
                logger.warning("The process cannot begin: %s", error)
            select.select([self._wire], [], [], RETRY)
            self._orders += self._wire.receive()
            if self._wire.is_closed or any("stop" in order for order in self._orders):
                return None

    def _begin(self) -> None:
        """Register with Redis; wait for it as long as it takes.

        The first children are here before their node has asked what is revoked.
        """
        while not self._fetcher.is_stopping:
            try:
                revoked.learn(self._process.store)
                self._process.start()
            except (RedisError, OSError) as error:  # noqa: PERF203
                logger.warning("The process cannot begin: %s", error)
                self._has_ended.wait(RETRY)
            else:
                return

    def _is_held(self) -> bool:
        """Whether it must fetch nothing: it is to be ended, or to leave, very soon."""
        if self._limits.is_any_exceeded:
            return True
        lifetime, executed = self._spec.lifetime, self._slots.executed
        if not lifetime or executed < worn_from(lifetime):
            return False
        if not self._is_worn:
            self._is_worn = True
            self._wire.send({"worn": executed})
        return executed >= lifetime

    def _work(self, thread: int) -> None:
        before_retry.set(self._events.retried)
        while (fetched := self._fetcher.next()) is not None:
            self._executor.run(thread, fetched)

    def _end(self) -> None:
        """Leave nothing behind: neither a job in hand, nor a result, nor a count.

        What has finished would run again if it were not acknowledged: it waits for Redis.
        """
        for loop in self._loops:
            loop.stop()
        self._process.is_stopping = True
        while not self._is_cleared():
            self._has_ended.wait(RETRY)
        self._publish()
        self._tell_totals()
        self._has_ended.set()
        self._process.leave()

    def _is_cleared(self) -> bool:
        try:
            self._fetcher.push_back_unstarted()
            self._fetcher.flush()
            self._recorder.flush()
        except (RedisError, OSError) as error:
            logger.warning("The process ends when Redis is back: %s", error)
        return not (self._fetcher.has_unsent or self._fetcher.has_unstarted)

    # What the keeper does.

    def _keep(self) -> None:
        while not self._has_ended.is_set():
            self._slots.note_look(monotonic())
            pause = BUSY if self._slots.executing() or self._fetcher.has_unsent else IDLE
            nearest = self._limits.next
            if nearest is not None:
                pause = max(0.0, min(pause, nearest - monotonic()))
            try:
                self._listen(pause)
                self._limits.enforce()
                self._look()
            except (RedisError, OSError) as error:
                logger.warning("The keeper cannot reach Redis: %s", error)
            except Exception:
                # This thread is how the child hears "stop": it outlives every order.
                logger.exception("The keeper has failed, and goes on")

    def _wake_keeper(self) -> None:
        os.write(self._poke, b"!")

    def _listen(self, pause: float) -> None:
        ears: list[Any] = [self._poked] if self._wire.is_closed else [self._wire, self._poked]
        ready, _, _ = select.select(ears, [], [], pause)
        if self._poked in ready:
            os.read(self._poked, 4096)
        if self._wire in ready:
            self._orders += self._wire.receive()
            while self._orders:  # one that fails keeps no other from being obeyed
                self._obey(self._orders.pop(0))
            if self._wire.is_closed and not self._fetcher.is_stopping:
                logger.warning("The parent of %s is gone", self._process.id)
                self._stop()

    def _look(self) -> None:
        """Let nothing wait behind a job that takes long, and keep nothing from Redis for long."""
        now = monotonic()
        executing = self._slots.executing()
        if executing:
            if self._fetcher.has_unsent:
                self._fetcher.flush()
            self._fetcher.tell_started()
        self._publish()
        if self._fetcher.has_unstarted and len(executing) == self._spec.threads:
            since = max(each.started for each in executing)
            pushed = self._fetcher.push_back_unstarted() if now - since > LONG else 0
            if pushed:
                logger.info("Pushed back %d jobs from behind one that takes long", pushed)
        if now - self._told_totals > TOTALS:
            self._told_totals = now
            self._tell_totals()
            self._slots.measure(self._own.memory_info().rss)

    def _obey(self, order: dict[str, Any]) -> None:
        for name, value in order.items():
            getattr(self, f"_on_{name}")(value)

    def _on_go(self, _: Any) -> None:
        self._may_go.set()

    def _on_stop(self, _: Any) -> None:
        self._stop()

    def _on_quiet(self, _: Any) -> None:
        self._fetcher.is_quiet = self._process.is_quiet = True
        self._fetcher.wake()
        self._fetcher.push_back_unstarted()

    def _on_queues(self, queues: list[str]) -> None:
        self._fetcher.serve(queues)

    def _on_revoked(self, told: dict[str, Any]) -> None:
        revoked.add(told["ids"], told["stamps"])

    def _on_events(self, are_on: bool) -> None:
        self._events.enabled = are_on
        self._executor.consumer.learn()

    def _on_task(self, options: dict[str, Any]) -> None:
        task = self._app.tasks.get(options.pop("name"))
        if task is not None:  # Celery has told who asked
            vars(task).update(options)

    def _on_report(self, _: Any) -> None:
        self._events.flush()
        self._wire.send({"totals": self._executor.take_totals(), "is_report": True})

    def _on_dump(self, _: Any) -> None:
        # What Celery puts in place of sys.stderr has no file number.
        if sys.__stderr__ is not None:
            faulthandler.dump_traceback(file=sys.__stderr__, all_threads=True)

    def _on_cancel(self, seq: int) -> None:
        self._executor.cancel(seq)

    def _stop(self) -> None:
        self._fetcher.is_stopping = True
        self._may_go.set()
        self._fetcher.wake()
        self._fetcher.push_back_unstarted()

    # What it tells of itself.

    def _publish(self) -> None:
        """Let out what waits for company."""
        self._events.flush()
        self._write_lines()

    def _write_lines(self) -> None:
        for lines in self._lines:
            lines.flush()

    def _write_many_lines(self) -> None:
        said.make()
        for lines in self._lines:
            if lines.are_many:
                lines.flush()

    def _tell_identity(self, identity: str) -> None:
        self._wire.send({"identity": identity})

    def _tell_totals(self) -> None:
        told = {
            "totals": self._executor.take_totals(),
            "ends": self._take_ends(),
            "outages": self._take_outages(),
        }
        if any(told.values()):
            self._wire.send({name: value for name, value in told.items() if value})

    def _take_ends(self) -> list[tuple[Ends, int]]:
        """How many attempts were counted since the last call."""
        counted = self._process.tally.counted
        new, self._told_ends = counted - self._told_ends, counted
        return list(new.items())

    def _take_outages(self) -> int:
        """How often Redis was out of reach since the last call."""
        number = outages.number
        new, self._told_outages = number - self._told_outages, number
        return new

    def _start_loops(self) -> None:
        store = self._channel.make_store()
        self._recorder = Recorder(lambda: store, lambda: [self._process], self._executor.running)
        self._loops = [self._recorder, *shared_loops(self._app, lambda: store)]
        for loop in self._loops:
            loop.start()


def _open_channel(app: Celery) -> Any:
    return app.connection_for_read().channel()


def prepare(app: Celery, hostname: str) -> Any:
    """Do before a fork what each child would do after it, and return a channel for them.

    What a child finds done costs it no time, and less memory: it writes to fewer of the pages that
    it shares. Without Redis there is no channel, and a child goes on to try.
    """
    app.set_current()
    app.set_default()
    app.finalize()
    trace.setup_worker_optimizations(app, hostname)
    lighten(app)
    request.install(app)
    processors()
    Counter([])  # it asks of each type once whether it is a mapping
    try:
        channel = _open_channel(app)
    except OUT_OF_REACH:
        return None
    channel.disconnect()
    return channel


def boot(app: Celery, hostname: str) -> None:
    """Begin in a process that was forked, as Celery's prefork does in its children."""
    tracer.renew()
    state.reset_state()
    app.loader.init_worker_process()
    signals.worker_process_init.send(sender=hostname)
