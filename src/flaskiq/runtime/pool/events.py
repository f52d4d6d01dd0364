"""Events: Celery's task events of a child, many in one message.

They go out under the name of the node, when the child waits for work and otherwise a few times a
second: a message for each event would cost more than the job.
"""

from __future__ import annotations

import logging
import sys
from traceback import format_exc
from typing import Any

from celery import Celery
from kombu.utils.encoding import safe_repr

logger = logging.getLogger(__name__)

MOST = 1000
"""Events that one message holds at most."""


class Events:
    """The events of one child; stands in for Celery's dispatcher, and opens it when needed."""

    groups = frozenset({"task"})

    def __init__(self, app: Celery, hostname: str) -> None:
        self._app, self._hostname = app, hostname
        self._dispatcher: Any = None
        self.enabled = False

    def send(self, type: str, **fields: Any) -> None:  # noqa: A002 - Celery's name
        """Send an event of a job, some time soon; of a retry it is told already."""
        if self.enabled and type != "task-retried":
            self._buffer(type, **fields)

    def retried(self, job_id: str) -> None:
        """Tell of a retry before another process can run it: who listens believes the last event.

        To be called while its error is handled.
        """
        if not self.enabled:
            return
        error = sys.exc_info()[1]
        self._buffer(
            "task-retried", uuid=job_id, exception=safe_repr(error), traceback=format_exc()
        )
        self.flush()

    def _buffer(self, type: str, **fields: Any) -> None:  # noqa: A002 - Celery's name
        if self._dispatcher is None:
            self._dispatcher = self._app.events.Dispatcher(
                self._app.connection_for_write(),
                hostname=self._hostname,
                groups=self.groups,
                buffer_group=self.groups,
                buffer_limit=MOST,
            )
        self._dispatcher.send(type, **fields)

    def received(self, headers: dict[str, Any]) -> None:
        """Send ``task-received``, with what Celery's strategy says of a job."""
        self.send(
            "task-received",
            uuid=headers["id"],
            name=headers.get("shadow") or headers["task"],
            args=headers.get("argsrepr", ""),
            kwargs=headers.get("kwargsrepr", ""),
            root_id=headers.get("root_id"),
            parent_id=headers.get("parent_id"),
            retries=headers.get("retries", 0),
            eta=headers.get("eta"),
            expires=headers.get("expires"),
        )

    def flush(self) -> None:
        """Send what is buffered; an event is never worth a job."""
        if self._dispatcher is None:
            return
        try:
            self._dispatcher.flush()
        except Exception as error:  # noqa: BLE001 - whatever it is, the jobs go on
            logger.warning("Events are lost: %s", error)
