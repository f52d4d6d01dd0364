"""FetchPool: watches over the children of a node. No job passes through here."""

from __future__ import annotations

import logging
import select
import signal
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
from flaskiq.runtime.pool.consumer import NodeConsumer
from flaskiq.runtime.pool.node_signals import NodeSignals
from flaskiq.runtime.pool.settle import HeldRequest, Remains, Undertaker
from flaskiq.runtime.pool.slots import MOST_CHILDREN, Memory
from flaskiq.runtime.pool.template import Template, TemplateGoneError
from flaskiq.runtime.pool.ward import Ward, pair
from flaskiq.store.store import Store
from flaskiq.tally import Tally

logger = logging.getLogger(__name__)

TICK = 0.1
"""Seconds between two looks at the children."""

PATIENCE = 5.0
"""Seconds that the node waits for an answer of Redis when it settles a child."""

REPORT = 0.5
"""Seconds that the node waits for its children to tell what they have run."""

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
        self.consumer: Any = None
        self.threads = int(self.app.conf.broker_transport_options.get("threads", 1))
        self._hostname: str = options["initargs"][1]
        self._wards: list[Ward] = []
        self._unsettled: list[Ward] = []
        self._executed = 0
        self._hub: Any = None
        self.queues: list[str] = []
        self._store: Store | None = None
        self._retired: list[Template] = []
        self._ending: list[Template] = []
        self._successor: Template | None = None
        self._to_renew: list[Ward] = []
        self._is_renewal_wanted = False
        self._looked_at = 0.0

    # Start.

    def on_start(self) -> None:
        """Fork the template, and from it the children."""
        self.queues = list(self.app.amqp.queues.consume_from)
        self._memory = Memory(self.threads)
        self._template = Template.fork(self.app, self._memory)
        history = int(self.app.conf.broker_transport_options["history_jobs"])
        self._identity, self._tally = new_identity(), Tally(history)
        self._undertaker = Undertaker(
            self.app, self._hostname, self.open_store, self._tally, lambda: self._eventer
        )
        for _ in range(self.limit):
            self._spawn()
        NodeSignals(self).install()

    def did_start_ok(self) -> bool:
        """Whether there is a child."""
        return bool(self._wards)

    def open_store(self) -> Store:
        """The store, over a connection of the node's own."""
        if self._store is None:
            self._store = open_store(self.app, PATIENCE)
        return self._store

    def _spawn(self) -> None:
        taken = {ward.index for ward in (*self._wards, *self._unsettled)}
        index = next(each for each in range(MOST_CHILDREN) if each not in taken)
        slots = self._memory.slots(index)
        slots.clear()
        wire, theirs = pair()
        with theirs:
            pid = self._template.spawn(self._spec(index), theirs)
        ward = Ward(index, pid, slots, wire, self._template)
        self._wards.append(ward)
        if self._hub is not None:
            self._watch(ward)
        logger.debug("Child %s is process %s", index, pid)

    def _spec(self, index: int) -> Spec:
        return Spec(
            index=index,
            hostname=self._hostname,
            queues=self.queues,
            threads=self.threads,
            multiplier=self.multiplier,
            soft=self.options.get("soft_timeout"),
            hard=self.options.get("timeout"),
            events=self._wants_events,
            **self._revoked,
        )

    @property
    def multiplier(self) -> int:
        """Jobs in hand for each thread, 0 for any number (``worker_prefetch_multiplier``)."""
        if self.app.conf.worker_disable_prefetch or self.consumer is None:
            return 1 if self.app.conf.worker_disable_prefetch else self._configured
        return int(self.consumer.prefetch_multiplier)

    @property
    def _configured(self) -> int:
        return int(self.app.conf.worker_prefetch_multiplier)

    # Watch.

    def register_with_event_loop(self, hub: Any) -> None:
        """Watch from the event loop; it forgets that with each connection of the node."""
        self._hub = hub
        for ward in self._wards:
            self._watch(ward)
        hub.call_repeatedly(TICK, self.tick)

    def _watch(self, ward: Ward) -> None:
        self._hub.add_reader(ward.wire.fileno(), self._on_wire, ward)

    def _on_wire(self, ward: Ward) -> None:
        self._hear(ward)
        if ward.wire.is_closed:
            self._hub.remove_reader(ward.wire.fileno())
            self.tick()

    def _hear(self, ward: Ward) -> None:
        state.total_count.update(ward.hear())

    def tick(self) -> None:
        """Look after all children once."""
        self._enforce_limits()
        for ward in list(self._wards):
            self._hear(ward)
            if ward.has_ended():
                self._bury(ward)
        self._settle()
        self._record()
        if self._state == self.RUN:
            self._renew()
            self._recycle()
            self._mend()
            self._scale()
        self._count()

    def _bury(self, ward: Ward) -> None:
        self._hear(ward)
        if ward not in self._wards:
            return  # a signal has come in between
        self._wards.remove(ward)
        if self._hub is not None:
            self._hub.remove_reader(ward.wire.fileno())
        ward.wire.close()
        self._executed += ward.slots.executed
        self._unsettled.append(ward)

    def _settle(self) -> None:
        for ward in list(self._unsettled):
            was_told = ward.is_retiring or self._state != self.RUN or bool(ward.timed_out)
            counts = not (was_told or ward.revoked) and ward.code != 0
            try:
                moved = self._undertaker.settle(ward, is_counted=counts)
            except (RedisError, OSError) as error:
                logger.warning("The jobs of process %s wait for Redis: %s", ward.pid, error)
                return
            except Exception:
                # It has no heartbeat any more, so the reapers settle it, a little later.
                logger.exception("Process %s is left to the reapers", ward.pid)
                moved = Counter()
            if ward in self._unsettled:
                self._unsettled.remove(ward)
            say = logger.info if ward.code == 0 else logger.error
            left = ", ".join(f"{number} {what}" for what, number in moved.items()) or "nothing"
            say("Process %s ended with %s; in flight: %s", ward.pid, ward.code, left)

    def _mend(self) -> None:
        """Replace who is missing."""
        if self._template.is_gone and self._successor is None:
            logger.error("The template has ended; another one is started")
            self._successor = Template.execute(self._memory)
        missing = self.limit - sum(not ward.is_retiring for ward in self._wards)
        for _ in range(missing):
            with suppress(TemplateGoneError):
                self._spawn()

    def _recycle(self) -> None:
        """Let a child leave that has run enough jobs or has grown too large, one at a time."""
        if any(ward.is_retiring for ward in self._wards):
            return
        most, largest = self.options.get("maxtasksperchild"), self._largest
        for ward in self._wards:
            if (most and ward.slots.executed >= most) or (largest and ward.slots.rss > largest):
                self._retire(ward)
                return

    @property
    def _largest(self) -> int:
        """Bytes that a child may have; Celery's option is in KiB."""
        return 1024 * int(self.options.get("max_memory_per_child") or 0)

    def renew(self) -> None:
        """Let all children be replaced, one after the other, by some with today's code."""
        self._is_renewal_wanted = True

    def _renew(self) -> None:
        if self._is_renewal_wanted and self._successor is None:
            self._is_renewal_wanted = False
            logger.info("A new template imports the app; the children change over to it")
            self._successor = Template.execute(self._memory)
        if self._successor is not None:
            self._succeed(self._successor)
        self._to_renew = [ward for ward in self._to_renew if ward in self._wards]
        if self._to_renew and not any(ward.is_retiring for ward in self._wards):
            self._retire(self._to_renew.pop(0))
        self._let_go_of_templates()

    def _let_go_of_templates(self) -> None:
        """End the templates of which no child is left."""
        in_use = {id(ward.template) for ward in self._wards}
        for template in [each for each in self._retired if id(each) not in in_use]:
            self._retired.remove(template)
            template.close()
            self._ending.append(template)
        self._ending = [each for each in self._ending if not each.has_ended()]

    def _succeed(self, successor: Template) -> None:
        """Fork from the new template as soon as it has imported the app."""
        if successor.is_ready:
            self._successor = None
            self._retired.append(self._template)
            self._template = successor
            self._to_renew = [ward for ward in self._wards if not ward.is_retiring]
        elif successor.is_gone:
            self._successor = None
            logger.error("The new template has failed, see above; the old code goes on")

    def _scale(self) -> None:
        """Let Celery's autoscaler look, if there is one."""
        now = monotonic()
        scaler = getattr(self.consumer and self.consumer.controller, "autoscaler", None)
        if scaler is not None and now - self._looked_at > 1:
            self._looked_at = now
            scaler.maybe_scale()

    def _enforce_limits(self) -> None:
        now = monotonic()
        for ward in self._wards:
            for each in ward.executing():
                if each.hard and now > each.hard:
                    self._end_at_limit(ward, each.seq)

    def _end_at_limit(self, ward: Ward, seq: int) -> None:
        """Kill a child whose job is over its hard limit; look again while it cannot move."""
        ward.send_signal(signal.SIGSTOP)
        again = next((each for each in ward.executing() if each.seq == seq), None)
        if again is not None and again.hard and not ward.slots.has_finished(seq):
            ward.timed_out[seq] = round(again.hard - again.started, 3)
            ward.kill()
        ward.send_signal(signal.SIGCONT)

    def _count(self) -> None:
        """Let Celery's heartbeat tell how many jobs run here and have run."""
        state.all_total_count[0] = self._executed + sum(w.slots.executed for w in self._wards)
        marks = [Mark() for ward in self._wards for _ in ward.executing()]
        self._shown: list[Any] = marks
        active: Any = state.active_requests
        active.clear()
        active.update(marks)

    # Stop.

    def on_close(self) -> None:
        """Tell the children to end their jobs and leave."""
        for ward in self._wards:
            ward.tell(stop=True)

    def on_stop(self) -> None:
        """Wait until they have, as long as they may; push back what is not done then."""
        if state.should_terminate:
            self.on_terminate()
            return
        self._state = self.CLOSE
        self.on_close()
        patience = float(self.app.conf.broker_transport_options["shutdown_timeout"])
        end = monotonic() + patience
        while self._wards and monotonic() < end:
            self.tick()
            time.sleep(0.01)
        if self._wards:
            logger.warning("Jobs that run after %g s go back to their queues", patience)
        self.on_terminate()

    def on_terminate(self) -> None:
        """End the children at once; what they hold goes back to the front of its queue."""
        self._state = self.TERMINATE
        for ward in self._wards:
            ward.kill()
        end = monotonic() + PATIENCE
        while (self._wards or self._unsettled) and monotonic() < end:
            self.tick()
            time.sleep(0.01)
        self._record()
        for template in (self._template, *self._retired):
            template.close()

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
        staying = [ward for ward in self._wards if not ward.is_retiring]
        for ward in sorted(staying, key=lambda ward: len(ward.executing()))[:n]:
            self.limit -= 1
            self._retire(ward)

    def _retire(self, ward: Ward) -> None:
        ward.is_retiring = True
        ward.tell(stop=True)

    def restart(self) -> None:
        """Replace all children (the remote control command ``pool_restart``)."""
        self.renew()

    def flush(self) -> None:
        """Nothing waits here."""

    @property
    def identities(self) -> set[str]:
        """The processes of this node."""
        return {ward.identity for ward in self._wards if ward.identity}

    def quiet(self, identity: str | None = None) -> bool:
        """Let one process, or all, fetch no more jobs; False if there is no such process."""
        wards = [w for w in self._wards if identity in (None, w.identity)]
        for ward in wards:
            ward.tell(quiet=True)
        return bool(wards)

    def replace(self, identity: str) -> bool:
        """Let one process leave for another, after its jobs; False if there is no such process."""
        wards = [ward for ward in self._wards if ward.identity == identity]
        for ward in wards:
            self._retire(ward)
        return bool(wards)

    def dump(self) -> None:
        """Let all children write the stacks of their threads."""
        self._tell(dump=True)

    @property
    def busy(self) -> int:
        """How many jobs run."""
        return sum(len(ward.executing()) for ward in self._wards)

    @property
    def num_processes(self) -> int:
        """How many jobs run at once."""
        return int(self.limit * self.threads)

    def _get_info(self) -> dict[str, Any]:
        return {
            **super()._get_info(),
            "max-concurrency": self.num_processes,
            "processes": [ward.pid for ward in self._wards],
            "threads": self.threads,
            "max-tasks-per-child": self.options.get("maxtasksperchild") or "N/A",
            "timeouts": [self.options.get("soft_timeout") or 0, self.options.get("timeout") or 0],
            "executed": {str(ward.pid): ward.slots.executed for ward in self._wards},
        }

    def terminate_job(self, pid: int, _signal: Any = None) -> None:
        """End the process of a job that was revoked; the others that it holds go back."""
        for ward in self._wards:
            if ward.pid == pid:
                ward.kill()

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
        for ward in self._wards:
            ward.tell(**order)

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
            self._show_jobs()
        elif command in SHOWS_TOTALS:
            self._ask_totals()

    def _ask_totals(self) -> None:
        """Wait a moment until every child has told what it has run."""
        self._tell(report=True)
        silent, until = list(self._wards), monotonic() + REPORT
        while silent and monotonic() < until:
            select.select([ward.wire for ward in silent], [], [], REPORT)
            for ward in silent:
                self._hear(ward)
            silent = [ward for ward in silent if not (ward.has_reported or ward.wire.is_closed)]

    def after_control(self, command: str | None) -> None:
        """Pass on what a remote control command has changed."""
        if command in ("revoke", "terminate", "revoke_by_stamped_headers", "hello"):
            self.tell_revoked()
        elif command in ("enable_events", "disable_events"):
            self.tell_events()
        self.serve_queues()

    def _show_jobs(self) -> None:
        """Let Celery's handlers see the jobs of the children as requests of this worker."""
        jobs: Any
        for jobs in (state.requests, state.active_requests, state.reserved_requests):
            jobs.clear()
        self._shown = []
        for ward in self._wards:
            if ward.identity is not None:
                self._show(ward, ward.identity)

    def _show(self, ward: Ward, identity: str) -> None:
        remains = Remains(self.open_store(), identity, self._tally)
        running = {each.seq: each for each in ward.executing()}
        remains.jobs.update((seq, raw) for seq, raw in ward.early.items() if seq in running)
        for seq in sorted(remains.jobs):
            if ward.slots.has_finished(seq) and seq not in ward.early:
                continue
            with suppress(ValueError, KeyError):  # a message that nobody can read
                job = ShownRequest(self, ward, remains, seq)
                self._shown.append(job)
                state.task_reserved(job)
                if seq in running:
                    job.worker_pid = ward.pid
                    job.time_start = time.time() - (monotonic() - running[seq].started)
                    state.active_requests.add(job)

    def revoke(self, ward: Ward, seq: int) -> None:
        """End a job that runs: its process, if that runs no other."""
        if self.threads == 1:
            ward.revoked.add(seq)
            ward.kill()
        else:
            ward.tell(cancel=seq)


class ShownRequest(HeldRequest):
    """A job of a child, as the handlers of remote control see it."""

    def __init__(self, pool: FetchPool, ward: Ward, remains: Remains, seq: int) -> None:
        super().__init__(
            pool.app,
            pool._hostname,  # noqa: SLF001
            remains,
            seq,
            remains.jobs[seq],
            pool._eventer,  # noqa: SLF001
        )
        self._pool, self._ward = pool, ward

    def terminate(self, _pool: Any, signal: Any = None) -> None:
        """End the job, and say that it was revoked."""
        if self.time_start is not None:
            self._pool.revoke(self._ward, self.seq)
        self._announce_revoked("terminated", True, signal, False)

    def cancel(self, *_: Any, **__: Any) -> None:
        """Do nothing: a worker that ends at once pushes back what its children hold."""


class Mark:
    """Counts a running job in ``worker.state.active_requests``, for Celery's heartbeat.

    A reconnect and a cold stop walk over that set, and ask what is here.
    """

    acknowledged, id, eventer = True, None, None

    class task:  # noqa: N801 - what a request calls its task
        """Nothing is to be done for it."""

        acks_late = True

    def cancel(self, *_: Any, **__: Any) -> None:
        """Do nothing."""

    def info(self, **_: Any) -> dict[str, Any]:
        """Say nothing."""
        return {}
