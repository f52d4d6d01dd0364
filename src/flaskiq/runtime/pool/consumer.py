"""The node's consumer: control, events, gossip and mingle are Celery's; it fetches nothing."""

from __future__ import annotations

import logging
from typing import Any

from celery.worker.consumer import Consumer

logger = logging.getLogger(__name__)

_Consumer: Any = Consumer


class Facade:
    """Stands in for kombu's consumer: the queues are declared, and nothing is read from them.

    Whoever changes the queues of a worker does it here, and the children hear of it.
    """

    def __init__(self, consumer: Any, pool: Any) -> None:
        self._consumer, self._pool = consumer, pool

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)

    def consume(self, *_: Any, **__: Any) -> None:
        """Do nothing: the children fetch."""

    def cancel(self) -> None:
        """Do nothing: it never began."""

    def add_queue(self, queue: Any) -> Any:
        """Declare a queue, and serve it."""
        added = self._consumer.add_queue(queue)
        self._pool.serve_queues()
        return added

    def cancel_by_queue(self, queue: str) -> None:
        """Serve a queue no longer."""
        self._consumer._queues.pop(queue, None)  # noqa: SLF001 - kombu would ask a server
        self._pool.serve_queues()


class NodeConsumer(_Consumer):
    """Celery's consumer for a pool that fetches for itself."""

    _task_consumer: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pool.consumer = self
        control: Any = self.blueprint.steps["celery.worker.consumer.control.Control"]
        self._handle = control.box.on_message
        control.box.on_message = self._on_control

    @property
    def task_consumer(self) -> Any:
        """What Celery's ``Tasks`` step has made, behind a :class:`Facade`."""
        return self._task_consumer

    @task_consumer.setter
    def task_consumer(self, consumer: Any) -> None:
        self._task_consumer = consumer and Facade(consumer, self.pool)

    def on_ready(self) -> None:
        """Tell the children whether events are wanted."""
        super().on_ready()
        self.pool.tell_events()

    def ensure_connected(self, conn: Any) -> Any:
        """Watch the children also while the node itself has no connection."""
        ensure = conn.ensure_connection

        def ensure_and_watch(errback: Any, max_retries: Any, callback: Any) -> Any:
            def tick() -> None:
                callback()
                self.pool.tick()

            return ensure(errback, max_retries, callback=tick)

        conn.ensure_connection = ensure_and_watch
        return super().ensure_connected(conn)

    def _on_control(self, body: dict[str, Any], message: Any) -> None:
        """Show Celery's handlers what the children have, and pass on what they change."""
        command = body.get("method")
        try:
            self.pool.before_control(command, body.get("arguments") or {})
        except Exception:
            # Nothing that somebody asks may end the node.
            logger.exception("What the children have cannot be shown")
        try:
            self._handle(body, message)
        finally:
            self.pool.after_control(command)
