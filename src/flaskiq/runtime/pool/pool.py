"""FetchPool: watches over the children of a node. No job passes through here."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping
from time import monotonic
from typing import Any

from celery.concurrency.base import BasePool
from celery.utils.functional import maybe_list
from celery.worker import state
from redis import RedisError

from flaskiq.broker.connection import open_store
from flaskiq.broker.outages import outages
from flaskiq.broker.process import new_identity
from flaskiq.runtime import revoked
from flaskiq.runtime.pool import template
from flaskiq.runtime.pool.autoscaler import NodeAutoscaler
from flaskiq.runtime.pool.child import Spec
from flaskiq.runtime.pool.child_process import ChildProcess
from flaskiq.runtime.pool.children import Children, Departure, Lifetime
from flaskiq.runtime.pool.consumer import NodeConsumer
from flaskiq.runtime.pool.node_signals import NodeSignals
from flaskiq.runtime.pool.settle import Books, Settlement
from flaskiq.runtime.pool.slots import Memory
from flaskiq.runtime.pool.succession import Succession
from flaskiq.runtime.pool.view import View
from flaskiq.store.store import Store
from flaskiq.tally import Ends, Tally

logger = logging.getLogger(__name__)

TICK = 0.1
"""Seconds between two looks at the children."""

SCALE = 1.0
"""Seconds between two looks of the autoscaler."""

LEAST_ROOM = 64
"""Children for which there is room, at least, beside as many that are about to leave."""

PATIENCE = 1.0
"""Seconds that the node waits for an answer of Redis: meanwhile it looks after nobody."""

LAST = 5.0
"""Seconds for the node to settle its children when it ends."""

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

CONCERNS_CHILDREN = SHOWS_JOBS | {
    "disable_events",
    "dump_stats",
    "enable_events",
    "rate_limit",
    "stats",
    "time_limit",
}
"""Those which are answered when the children have obeyed, or have told what they know."""

_Pool: Any = BasePool


class FetchPool(_Pool):
    """Celery's pool: starts, watches, replaces and stops the processes that fetch."""

    fetches = True
    signal_safe = False
    uses_semaphore = False
    task_join_will_block = True

    def __init__(self, limit: int | None = None, **options: Any) -> None:
        super().__init__(limit or 1, **options)
        self.limit: int = limit or 1
        self.consumer: Any = None
        self.threads = int(self.app.conf.broker_transport_options.get("threads", 1))
        self.queues: list[str] = []
        self._hostname: str = options["initargs"][1]
        self._store: Store | None = None
        self._scaled_at = 0.0

    # Start.

    @classmethod
    def prepare(cls, worker: Any) -> None:
        """Let a worker bring what belongs to this pool; or go on as a template, if it is one."""
        if template.is_wanted():
            template.become(worker)
        worker.consumer_cls = NodeConsumer
        worker.autoscaler_cls = NodeAutoscaler
        worker.app.conf.worker_prefetch_multiplier = worker.prefetch_multiplier

    def on_start(self) -> None:
        """Fork the template, and from it the children."""
        self.queues = list(self.app.amqp.queues.consume_from)
        memory = Memory(self.threads, most=2 * max(self.limit, LEAST_ROOM))
        self.app.clock = memory.clock(self.app.clock.value)
        templates = Succession(self.app, self._hostname, memory)
        history = int(self.app.conf.broker_transport_options["history_jobs"])
        self._identity, self._tally = new_identity(), Tally(history)
        books = Books(self.app, self._hostname, self._tally, self.open_store, self._get_eventer)
        self._view = View(books, self._end_job)
        self._children = Children(
            self.limit,
            memory,
            templates,
            Settlement(books),
            self._lifetime,
            self._ttl,
            self._brief,
            self._revoked,
        )
        self._children.fill()
        self._signals = NodeSignals(self)
        self._signals.install()

    def did_start_ok(self) -> bool:
        """Whether there is a child."""
        return bool(len(self._children))

    @property
    def _ttl(self) -> float:
        return float(self.app.conf.broker_transport_options["heartbeat_ttl"])

    @property
    def _lifetime(self) -> Lifetime:
        kib = int(self.options.get("max_memory_per_child") or 0)
        return Lifetime(int(self.options.get("maxtasksperchild") or 0), 1024 * kib)

    def open_store(self) -> Store:
        """The store, over a connection of the node's own."""
        if self._store is None:
            self._store = open_store(self.app, PATIENCE)
        return self._store

    def _brief(self, index: int) -> Spec:
        return Spec(
            index=index,
            hostname=self._hostname,
            queues=self.queues,
            threads=self.threads,
            multiplier=self._multiplier,
            lifetime=self._lifetime.jobs,
            soft=self.options.get("soft_timeout"),
            hard=self.options.get("timeout"),
            events=self._wants_events,
        )

    @property
    def _multiplier(self) -> int:
        """Jobs in hand for each thread, 0 for any number."""
        conf = self.app.conf
        return 1 if conf.worker_disable_prefetch else int(conf.worker_prefetch_multiplier)

    # Watch.

    def register_with_event_loop(self, hub: Any) -> None:
        """Watch from the event loop; it forgets that with each connection of the node."""
        self._children.watch(hub)
        hub.call_repeatedly(TICK, self.tick)

    def tick(self) -> None:
        """Look after all children once."""
        self._signals.act()
        self._children.look()
        self._record()
        if self._state == self.RUN:
            self._scale()
        self._view.count(self._children.executed, self._children)

    def enforce_limits(self) -> None:
        """Kill every child with a job that is over its hard limit."""
        self._children.enforce_limits()

    def _scale(self) -> None:
        """Let Celery's autoscaler look, if there is one."""
        now = monotonic()
        scaler = getattr(self.consumer and self.consumer.controller, "autoscaler", None)
        if scaler is not None and now - self._scaled_at > SCALE:
            self._scaled_at = now
            scaler.maybe_scale()

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
        self._children.is_closing = True
        self._children.tell(stop=True)

    def on_stop(self) -> None:
        """Wait until they have, as long as they may; push back what is not done then."""
        if state.should_terminate:
            self.on_terminate()
            return
        self.on_close()
        patience = float(self.app.conf.broker_transport_options["shutdown_timeout"])
        end = monotonic() + patience
        while len(self._children) and monotonic() < end:
            self.tick()
            time.sleep(0.01)
        if len(self._children):
            logger.warning("Jobs that run after %g s go back to their queues", patience)
        self.on_terminate()

    def on_terminate(self) -> None:
        """End the children at once; what they hold goes back to the front of its queue."""
        self._children.kill()
        end = monotonic() + LAST
        while not self._children.are_settled and monotonic() < end:
            self.tick()
            time.sleep(0.01)
        self._record()
        self._signals.stop_clock()
        self._children.close()

    def _record(self) -> None:
        """Write the ends of jobs that their own process could not note any more."""
        batch = self._tally.batch()
        if batch is None:
            return
        try:
            self.open_store().statistics.record(self._identity, batch, {}, self._ttl)
        except (RedisError, OSError) as error:
            outages.note()
            logger.warning("What was counted is written later: %s", error)
        else:
            self._tally.confirmed()

    # What Celery asks of a pool.

    def grow(self, n: int = 1) -> None:
        """Start more children."""
        self._children.wanted += n
        self._children.fill()
        self.limit = self._children.wanted

    def shrink(self, n: int = 1) -> None:
        """Let children leave, those without a job first."""
        self._children.shrink(n)
        self.limit = self._children.wanted

    def restart(self) -> None:
        """Replace all children (the remote control command ``pool_restart``)."""
        self._children.renew()

    @property
    def children(self) -> list[ChildProcess]:
        """The processes of this node, as it sees them."""
        return list(self._children)

    @property
    def identities(self) -> set[str]:
        """The processes of this node."""
        return {child.identity for child in self._children if child.identity}

    def quiet(self, identity: str | None = None) -> bool:
        """Let one process, or all, fetch no more jobs; False if there is no such process."""
        children = [w for w in self._children if identity in (None, w.identity)]
        for child in children:
            child.tell(quiet=True)
            child.is_quiet = True
        return bool(children)

    def replace(self, identity: str) -> bool:
        """Let one process leave for another, after its jobs; False if there is no such process."""
        children = [child for child in self._children if child.identity == identity]
        for child in children:
            self._children.retire(child)
        return bool(children)

    def dump(self) -> None:
        """Let all children write the stacks of their threads."""
        self._children.dump()

    @property
    def busy(self) -> int:
        """How many jobs run."""
        return sum(len(child.executing()) for child in self._children)

    @property
    def ends(self) -> Counter[Ends]:
        """The attempts that ended here since the node began, up to two seconds ago."""
        return self._children.ends + self._tally.counted

    @property
    def outages(self) -> int:
        """How often Redis was out of reach, for the node or for one of its children."""
        return outages.number + self._children.outages

    @property
    def gone(self) -> Counter[Departure]:
        """How many children have ended, and how."""
        return self._children.gone

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

    # What the node shows of its children, and tells them.

    def _get_eventer(self) -> Any:
        return self.consumer.event_dispatcher if self.consumer is not None else None

    @property
    def _wants_events(self) -> bool:
        eventer = self._get_eventer()
        return bool(
            eventer and eventer.enabled and (not eventer.groups or "task" in eventer.groups)
        )

    @staticmethod
    def _revoked() -> dict[str, Any]:
        """The order that tells a child what must not run."""
        return {"revoked": {"ids": list(state.revoked), "stamps": _lists(state.revoked_stamps)}}

    def tell_events(self) -> None:
        """Tell the children whether anybody wants events."""
        self._children.tell(events=self._wants_events)

    def learn_revoked(self) -> None:
        """Learn what Redis remembers as revoked, and tell the children.

        Raises:
            redis.RedisError: Redis is out of reach.
        """
        revoked.learn(self.open_store())
        self._children.tell(**self._revoked())

    def serve_queues(self) -> None:
        """Tell the children which queues to serve."""
        queues = list(self.app.amqp.queues.consume_from)
        if queues != self.queues:
            self.queues = queues
            self._children.tell(queues=queues)
            self._children.confirm()

    def before_control(self, command: str | None, arguments: dict[str, Any]) -> None:
        """Let the children know before Celery answers, and Celery what they know.

        Raises:
            redis.RedisError: Redis is out of reach.
        """
        name = arguments.get("task_name")
        if command == "time_limit":
            soft, hard = arguments.get("soft"), arguments.get("hard")
            self._children.tell(task={"name": name, "soft_time_limit": soft, "time_limit": hard})
        elif command == "rate_limit":
            self._children.tell(task={"name": name, "rate_limit": arguments.get("rate_limit")})
        elif command in ("enable_events", "disable_events"):
            self._children.tell(events=command == "enable_events")
        elif command in ("revoke", "terminate"):
            ids = list(maybe_list(arguments.get("task_id")) or ())
            self._children.tell(revoked={"ids": ids, "stamps": {}})
        elif command == "revoke_by_stamped_headers":
            stamps = arguments.get("headers") or {}
            if isinstance(stamps, list):
                stamps = dict(stamp.split("=", 1) for stamp in stamps)
            self._children.tell(revoked={"ids": [], "stamps": _lists(stamps)})
        if command in CONCERNS_CHILDREN:
            self._children.confirm()
        if command in SHOWS_JOBS:
            self._view.show(self._children)

    def after_control(self, command: str | None) -> None:
        """Pass on what a remote control command has changed."""
        if command == "hello":  # another worker has told what it knows as revoked
            self._children.tell(**self._revoked())
        elif command in ("enable_events", "disable_events"):
            self.tell_events()
        if command in SHOWS_JOBS:
            self._view.hide()
        self.serve_queues()


def _lists(stamps: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {name: list(maybe_list(values) or ()) for name, values in stamps.items()}
