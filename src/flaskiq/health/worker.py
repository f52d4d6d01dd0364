"""WorkerHealth: how a worker is."""

from __future__ import annotations

from functools import partial
from typing import Any

from celery.bootsteps import CLOSE, TERMINATE  # type: ignore[attr-defined] # not in the stubs
from celery.signals import task_postrun
from celery.worker import state

from flaskiq.broker.connection import open_store
from flaskiq.current import State
from flaskiq.health.broker import Broker
from flaskiq.health.crew import Crew
from flaskiq.health.cron import Cron
from flaskiq.health.program import Look, Program
from flaskiq.health.pulse import Pulse
from flaskiq.health.trouble import TroubleError
from flaskiq.runtime import pools

BEAT = 1.0
"""Seconds between two beats of the main loop."""

SILENCE = 2
"""Heartbeat TTLs of silence that are taken for death."""


class WorkerHealth:
    """Looks at the main loop, the processes, Redis, and whether jobs are fetched.

    While Redis is out of reach nothing else is held against a worker, since everything may wait for
    it: to restart a worker for an outage would only kill its jobs.
    """

    def __init__(self, worker: Any, found: State) -> None:
        self._worker, self._pool = worker, worker.pool
        options = worker.app.conf.broker_transport_options
        self._patience = SILENCE * float(options["heartbeat_ttl"])
        self.pulse = Pulse()
        self.crew = Crew(worker.pool, self._patience)
        self.broker = Broker(partial(open_store, worker.app))
        self._is_solo = pools.pool_name(type(worker.pool)) == "solo"
        self._found = found

    def program(self) -> Program:
        """Return what is told over HTTP."""
        looks: dict[str, Look] = {
            "main_loop": self._excused(self._look_at_loop),
            "pool": self._excused(self.crew.look),
            "broker": self.broker.look,
            "consuming": self._look_at_fetching,
        }
        if self._found.settings["FLASKIQ_BEAT_IN_WORKER"]:
            looks["scheduler"] = Cron(self.broker).look
        return Program(
            service="celery-worker",
            app=self._found.app.import_name,
            looks=looks,
            live=("main_loop", "pool"),
            ready=("broker", "consuming"),
            details=self._tell,
        )

    # How it is told that the main loop turns.

    def follow_hub(self, hub: Any) -> None:
        """Follow an event loop."""
        hub.call_repeatedly(BEAT, self._beat)

    def follow(self) -> None:
        """Follow the main loop where it is in no event loop."""
        consumer = self._worker.consumer
        connect = consumer.ensure_connected

        def ensure_connected(connection: Any) -> Any:
            with self.pulse.waiting():
                return connect(connection)

        consumer.ensure_connected = ensure_connected
        if not self._worker.use_eventloop:
            perform = consumer.perform_pending_operations

            def perform_pending_operations() -> None:
                self._beat()
                perform()

            consumer.perform_pending_operations = perform_pending_operations
        if self._is_solo:
            task_postrun.connect(self._on_end)

    def _beat(self) -> None:
        self.pulse.beat()
        self.crew.note()

    def _on_end(self, **_: Any) -> None:
        self.pulse.beat()

    # What is looked at.

    def _excused(self, look: Look) -> Look:
        def excused() -> str:
            try:
                return look()
            except TroubleError as trouble:
                if self.broker.has_failed_within(self._patience):
                    return f"waits for Redis: {trouble}"
                raise

        return excused

    def _look_at_loop(self) -> str:
        if self._is_stopping:
            return "stopping"
        if self._is_solo and state.active_requests:
            return "runs a job"
        if self.pulse.silence > self._patience:
            raise TroubleError(f"has not turned for {self.pulse.age:.0f} s")
        return "waits for Redis" if self.pulse.is_waiting else f"turned {self.pulse.age:.1f} s ago"

    @property
    def _is_stopping(self) -> bool:
        orders = (state.should_stop, state.should_terminate)  # an exit code, and so maybe 0
        return self._worker.blueprint.state in (CLOSE, TERMINATE) or any(
            order is not None and order is not False for order in orders
        )

    def _look_at_fetching(self) -> str:
        if self._is_stopping:
            raise TroubleError("stopping: no more jobs are fetched")
        if not self.pulse.has_begun:
            raise TroubleError("starting")
        if pools.fetches(self._pool):
            self._look_at_children()
        else:
            self._look_at_consumer()
        queues = list(self._worker.app.amqp.queues.consume_from)
        if not queues:
            raise TroubleError("no queue is served")
        return f"serves {', '.join(queues)}"

    def _look_at_children(self) -> None:
        ready = [each for each in self.crew.members if each.is_ready]
        if not ready:
            raise TroubleError("starting: no process is ready")
        if all(each.is_quiet for each in ready):
            raise TroubleError("quiet: no more jobs are fetched")

    def _look_at_consumer(self) -> None:
        consumer = self._worker.consumer.task_consumer
        channel = getattr(consumer, "channel", None)
        if channel is None or self.pulse.is_waiting:
            raise TroubleError("not connected to Redis")
        if channel.process.is_quiet:
            raise TroubleError("quiet: no more jobs are fetched")

    def _tell(self) -> dict[str, Any]:
        return {
            "node": self._worker.hostname,
            "pool": pools.pool_name(type(self._pool)),
            "concurrency": self._pool.num_processes,
            "queues": list(self._worker.app.amqp.queues.consume_from),
            "processes": [each._asdict() for each in self.crew.members],
        }
