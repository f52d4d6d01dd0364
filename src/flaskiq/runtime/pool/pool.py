"""FetchPool: watches over the children of a node. No job passes through here."""

from __future__ import annotations

import logging
import time
from collections import Counter
from contextlib import suppress
from time import monotonic
from typing import Any

from celery.concurrency.base import BasePool
from celery.worker import state
from redis import RedisError

from flaskiq.broker.connection import open_store
from flaskiq.broker.process import new_identity
from flaskiq.runtime.pool.child import Spec
from flaskiq.runtime.pool.child_process import ChildProcess, pair
from flaskiq.runtime.pool.consumer import NodeConsumer
from flaskiq.runtime.pool.node_signals import NodeSignals
from flaskiq.runtime.pool.settle import Settlement
from flaskiq.runtime.pool.slots import Memory
from flaskiq.runtime.pool.succession import Succession
from flaskiq.runtime.pool.template import TemplateGoneError
from flaskiq.runtime.pool.view import View, ask_totals
from flaskiq.store.store import Store
from flaskiq.tally import Tally

logger = logging.getLogger(__name__)

TICK = 0.1
"""Seconds between two looks at the children."""

LOOK = 1.0
"""Seconds after which it is asked whether a child has ended without a word."""

PAUSE = 1.0
"""Seconds before a child that could not begin is replaced."""

SCALE = 1.0
"""Seconds between two looks of the autoscaler."""

LEAST_ROOM = 64
"""Children for which there is room, at least, beside as many that are about to leave."""

PATIENCE = 5.0
"""Seconds that the node waits for an answer of Redis when it settles a child."""

SHOWS_JOBS = frozenset(
    {
        "active",
        "dump_active",
        "dump_reserved",
        "query_task",
        "reserved",
        "revoke",
        "revoke_by_stamped_headers",
        "terminate",
    }
)
"""Remote control commands whose handlers look at the jobs of the worker."""

SHOWS_TOTALS = frozenset({"stats", "dump_stats"})
"""Those that tell how many jobs of each task have run."""

_Pool: Any = BasePool


class FetchPool(_Pool):
    """Celery's pool: starts, watches, replaces and stops the processes that fetch."""

    consumer_cls = NodeConsumer
    signal_safe = False
    uses_semaphore = False
    task_join_will_block = True

    def __init__(self, limit: int | None = None, **options: Any) -> None:
        super().__init__(limit or 1, **options)
        self.limit: int = limit or 1
        self.consumer: Any = None
        self.threads = int(self.app.conf.broker_transport_options.get("threads", 1))
        self._hostname: str = options["initargs"][1]
        self._children: list[ChildProcess] = []
        self._unsettled: list[ChildProcess] = []
        self._executed = 0
        self._hub: Any = None
        self.queues: list[str] = []
        self._store: Store | None = None
        self._to_renew: list[ChildProcess] = []
        self._looked_at = self._scaled_at = self._spawns_from = 0.0

    # Start.

    def on_start(self) -> None:
        """Fork the template, and from it the children."""
        self.queues = list(self.app.amqp.queues.consume_from)
        self._memory = Memory(self.threads, most=2 * max(self.limit, LEAST_ROOM))
        self.app.clock = self._memory.clock(self.app.clock.value)
        self._templates = Succession(self.app, self._memory)
        history = int(self.app.conf.broker_transport_options["history_jobs"])
        self._identity, self._tally = new_identity(), Tally(history)
        self._settlement = Settlement(
            self.app, self._hostname, self.open_store, self._tally, lambda: self._eventer
        )
        self._view = View(
            self.app,
            self._hostname,
            self._tally,
            self.open_store,
            lambda: self._eventer,
            self._end_job,
        )
        for _ in range(self.limit):
            self._spawn()
        NodeSignals(self).install()

    def did_start_ok(self) -> bool:
        """Whether there is a child."""
        return bool(self._children)

    def open_store(self) -> Store:
        """The store, over a connection of the node's own."""
        if self._store is None:
            self._store = open_store(self.app, PATIENCE)
        return self._store

    def _spawn(self) -> None:
        """Fork a child.

        Raises:
            TemplateGoneError: the template has ended; a new one is on its way.
        """
        taken = {child.index for child in (*self._children, *self._unsettled)}
        index = next((each for each in range(self._memory.most) if each not in taken), None)
        if index is None:
            logger.error("There is no room for more than %d processes", self._memory.most)
            self.limit = len(self._children)
            return
        slots = self._memory.slots(index)
        slots.clear()
        wire, theirs = pair()
        template = self._templates.current
        with theirs:
            pid = template.spawn(self._spec(index), theirs)
        child = ChildProcess(index, pid, slots, wire, template)
        self._children.append(child)
        if self._hub is not None:
            self._watch(child)

    def _spec(self, index: int) -> Spec:
        return Spec(
            index=index,
            hostname=self._hostname,
            queues=self.queues,
            threads=self.threads,
            multiplier=self._multiplier,
            soft=self.options.get("soft_timeout"),
            hard=self.options.get("timeout"),
            events=self._wants_events,
            **self._revoked,
        )

    @property
    def _multiplier(self) -> int:
        """Jobs in hand for each thread, 0 for any number."""
        conf = self.app.conf
        return 1 if conf.worker_disable_prefetch else int(conf.worker_prefetch_multiplier)

    # Watch.

    def register_with_event_loop(self, hub: Any) -> None:
        """Watch from the event loop; it forgets that with each connection of the node."""
        self._hub = hub
        for child in self._children:
            self._watch(child)
        hub.call_repeatedly(TICK, self.tick)

    def _watch(self, child: ChildProcess) -> None:
        self._hub.add_reader(child.wire.fileno(), self._on_wire, child)

    def _on_wire(self, child: ChildProcess) -> None:
        self._hear(child)
        if child.wire.is_closed:
            self._hub.remove_reader(child.wire.fileno())
            self.tick()

    def _hear(self, child: ChildProcess) -> None:
        state.total_count.update(child.hear())

    def tick(self) -> None:
        """Look after all children once."""
        self._enforce_limits()
        # The end of its wire tells of the end of a child, unless a job has passed that on.
        looks = monotonic() > self._looked_at + LOOK
        if looks:
            self._looked_at = monotonic()
        for child in list(self._children):
            self._hear(child)
            if (looks or child.wire.is_closed) and child.has_ended():
                self._bury(child)
        self._settle()
        self._record()
        if self._state == self.RUN:
            self._renew()
            self._recycle()
            self._mend()
            self._scale()
        executed = self._executed + sum(child.slots.executed for child in self._children)
        self._view.count(executed, self._children)

    def _bury(self, child: ChildProcess) -> None:
        self._hear(child)
        if child not in self._children:
            return  # a signal has come in between
        self._children.remove(child)
        if self._hub is not None:
            self._hub.remove_reader(child.wire.fileno())
        child.wire.close()
        self._executed += child.slots.executed
        if child.identity is None:
            # It could not even begin, and neither would the next.
            self._spawns_from = monotonic() + PAUSE
        self._unsettled.append(child)

    def _settle(self) -> None:
        for child in list(self._unsettled):
            was_told = child.is_retiring or self._state != self.RUN or bool(child.timed_out)
            counts = not (was_told or child.revoked) and child.code != 0
            try:
                moved = self._settlement.settle(child, is_counted=counts)
            except (RedisError, OSError) as error:
                logger.warning("The jobs of process %s wait for Redis: %s", child.pid, error)
                return
            except Exception:
                # It has no heartbeat any more, so the reapers settle it, a little later.
                logger.exception("Process %s is left to the reapers", child.pid)
                moved = Counter()
            if child in self._unsettled:
                self._unsettled.remove(child)
            say = logger.info if child.code == 0 else logger.error
            left = ", ".join(f"{number} {what}" for what, number in moved.items()) or "nothing"
            say("Process %s ended with %s; in flight: %s", child.pid, child.code, left)

    def _mend(self) -> None:
        """Replace who is missing."""
        missing = self.limit - sum(not child.is_retiring for child in self._children)
        if missing > 0 and monotonic() > self._spawns_from:
            with suppress(TemplateGoneError):
                for _ in range(missing):
                    self._spawn()

    def _recycle(self) -> None:
        """Let a child leave that has run enough jobs or has grown too large, one at a time."""
        if any(child.is_retiring for child in self._children):
            return
        most, largest = self.options.get("maxtasksperchild"), self._largest
        for child in self._children:
            if (most and child.slots.executed >= most) or (largest and child.slots.rss > largest):
                self._retire(child)
                return

    @property
    def _largest(self) -> int:
        """Bytes that a child may have; Celery's option is in KiB."""
        return 1024 * int(self.options.get("max_memory_per_child") or 0)

    def renew(self) -> None:
        """Let all children be replaced, one after the other, by some with today's code."""
        self._templates.want()

    def _renew(self) -> None:
        if self._templates.turn(child.template for child in self._children):
            self._to_renew = [child for child in self._children if not child.is_retiring]
        self._to_renew = [child for child in self._to_renew if child in self._children]
        if self._to_renew and not any(child.is_retiring for child in self._children):
            self._retire(self._to_renew.pop(0))

    def _scale(self) -> None:
        """Let Celery's autoscaler look, if there is one."""
        now = monotonic()
        scaler = getattr(self.consumer and self.consumer.controller, "autoscaler", None)
        if scaler is not None and now - self._scaled_at > SCALE:
            self._scaled_at = now
            scaler.maybe_scale()

    def _enforce_limits(self) -> None:
        now = monotonic()
        for child in self._children:
            for each in child.executing():
                if each.hard and now > each.hard:
                    child.kill_for(each, seconds=round(each.hard - each.started, 3))

    def _end_job(self, child: ChildProcess, seq: int) -> bool:
        """End a job that runs, with its process if that runs no other; False if it has ended."""
        running = next((each for each in child.executing() if each.seq == seq), None)
        if running is None:
            return False
        if self.threads == 1:
            return child.kill_for(running)
        child.tell(cancel=seq)
        return True

    # Stop.

    def on_close(self) -> None:
        """Tell the children to end their jobs and leave."""
        for child in self._children:
            child.tell(stop=True)

    def on_stop(self) -> None:
        """Wait until they have, as long as they may; push back what is not done then."""
        if state.should_terminate:
            self.on_terminate()
            return
        self._state = self.CLOSE
        self.on_close()
        patience = float(self.app.conf.broker_transport_options["shutdown_timeout"])
        end = monotonic() + patience
        while self._children and monotonic() < end:
            self.tick()
            time.sleep(0.01)
        if self._children:
            logger.warning("Jobs that run after %g s go back to their queues", patience)
        self.on_terminate()

    def on_terminate(self) -> None:
        """End the children at once; what they hold goes back to the front of its queue."""
        self._state = self.TERMINATE
        for child in self._children:
            child.kill()
        end = monotonic() + PATIENCE
        while (self._children or self._unsettled) and monotonic() < end:
            self.tick()
            time.sleep(0.01)
        self._record()
        self._templates.close()

    def _record(self) -> None:
        """Write the ends of jobs that their own process could not note any more."""
        batch = self._tally.batch()
        if batch is None:
            return
        ttl = float(self.app.conf.broker_transport_options["heartbeat_ttl"])
        try:
            self.open_store().statistics.record(self._identity, batch, {}, ttl)
        except (RedisError, OSError) as error:
            logger.warning("What was counted is written later: %s", error)
        else:
            self._tally.confirmed()

    # What Celery asks of a pool.

    def grow(self, n: int = 1) -> None:
        """Start more children."""
        self.limit += n
        self._mend()

    def shrink(self, n: int = 1) -> None:
        """Let children leave, those without a job first."""
        staying = [child for child in self._children if not child.is_retiring]
        for child in sorted(staying, key=lambda child: len(child.executing()))[:n]:
            self.limit -= 1
            self._retire(child)

    def _retire(self, child: ChildProcess) -> None:
        child.is_retiring = True
        child.tell(stop=True)

    def restart(self) -> None:
        """Replace all children (the remote control command ``pool_restart``)."""
        self.renew()

    def flush(self) -> None:
        """Nothing waits here."""

    @property
    def identities(self) -> set[str]:
        """The processes of this node."""
        return {child.identity for child in self._children if child.identity}

    def quiet(self, identity: str | None = None) -> bool:
        """Let one process, or all, fetch no more jobs; False if there is no such process."""
        children = [w for w in self._children if identity in (None, w.identity)]
        for child in children:
            child.tell(quiet=True)
        return bool(children)

    def replace(self, identity: str) -> bool:
        """Let one process leave for another, after its jobs; False if there is no such process."""
        children = [child for child in self._children if child.identity == identity]
        for child in children:
            self._retire(child)
        return bool(children)

    def dump(self) -> None:
        """Let all children write the stacks of their threads."""
        self._tell(dump=True)

    @property
    def busy(self) -> int:
        """How many jobs run."""
        return sum(len(child.executing()) for child in self._children)

    @property
    def num_processes(self) -> int:
        """How many jobs run at once."""
        return int(self.limit * self.threads)

    def _get_info(self) -> dict[str, Any]:
        return {
            **super()._get_info(),
            "max-concurrency": self.num_processes,
            "processes": [child.pid for child in self._children],
            "threads": self.threads,
            "max-tasks-per-child": self.options.get("maxtasksperchild") or "N/A",
            "timeouts": [self.options.get("soft_timeout") or 0, self.options.get("timeout") or 0],
            "executed": {str(child.pid): child.slots.executed for child in self._children},
        }

    def terminate_job(self, pid: int, _signal: Any = None) -> None:
        """End a process at once; what it holds goes back."""
        for child in self._children:
            if child.pid == pid:
                child.is_retiring = True
                child.kill()

    # What the node shows of its children, and tells them.

    @property
    def _eventer(self) -> Any:
        return self.consumer.event_dispatcher if self.consumer is not None else None

    @property
    def _wants_events(self) -> bool:
        eventer = self._eventer
        return bool(
            eventer and eventer.enabled and (not eventer.groups or "task" in eventer.groups)
        )

    @property
    def _revoked(self) -> dict[str, Any]:
        stamps = {name: list(values) for name, values in state.revoked_stamps.items()}
        return {"revoked": list(state.revoked), "revoked_stamps": stamps}

    def _tell(self, **order: Any) -> None:
        for child in self._children:
            child.tell(**order)

    def tell_events(self) -> None:
        """Tell the children whether anybody wants events."""
        self._tell(events=self._wants_events)

    def tell_revoked(self) -> None:
        """Tell the children what must not run."""
        revoked = self._revoked
        self._tell(revoked={"ids": revoked["revoked"], "stamps": revoked["revoked_stamps"]})

    def serve_queues(self) -> None:
        """Tell the children which queues to serve."""
        queues = list(self.app.amqp.queues.consume_from)
        if queues != self.queues:
            self.queues = queues
            self._tell(queues=queues)

    def before_control(self, command: str | None, arguments: dict[str, Any]) -> None:
        """Let the children know before Celery answers, and Celery what they know.

        Raises:
            redis.RedisError: Redis is out of reach.
        """
        name = arguments.get("task_name")
        if command == "time_limit":
            soft, hard = arguments.get("soft"), arguments.get("hard")
            self._tell(task={"name": name, "soft_time_limit": soft, "time_limit": hard})
        elif command == "rate_limit":
            self._tell(task={"name": name, "rate_limit": arguments.get("rate_limit")})
        elif command in ("enable_events", "disable_events"):
            self._tell(events=command == "enable_events")
        elif command in SHOWS_JOBS:
            self._view.show(self._children)
        elif command in SHOWS_TOTALS:
            ask_totals(self._children)

    def after_control(self, command: str | None) -> None:
        """Pass on what a remote control command has changed."""
        if command in ("revoke", "terminate", "revoke_by_stamped_headers", "hello"):
            self.tell_revoked()
        elif command in ("enable_events", "disable_events"):
            self.tell_events()
        if command in SHOWS_JOBS:
            self._view.hide()
        self.serve_queues()
