"""Events: Celery's task events of a child, many in one message.

They go out under the name of the node, when the child waits for work and otherwise a few times a
second: a message for each event would cost more than the job.
"""

from __future__ import annotations

import logging
from typing import Any

from celery import Celery

logger = logging.getLogger(__name__)

MOST = 1000
"""Events that one message holds at most."""


class Events:
    """The events of one child; nothing is opened before somebody wants them."""

    def __init__(self, app: Celery, hostname: str) -> None:
        self._app, self._hostname = app, hostname
        self._dispatcher: Any = None
        self.are_on = False

    @property
    def eventer(self) -> Any:
        """Celery's dispatcher, None if events are off."""
        if not self.are_on:
            return None
        if self._dispatcher is None:
            self._dispatcher = self._app.events.Dispatcher(
                self._app.connection_for_write(),
                hostname=self._hostname,
                groups=["task"],
                buffer_group=["task"],
                buffer_limit=MOST,
            )
        return self._dispatcher

    def send(self, kind: str, job_id: str, **fields: Any) -> None:
        """Send an event of a job, some time soon."""
        self.eventer.send(kind, uuid=job_id, **fields)

    def received(self, headers: dict[str, Any]) -> None:
        """Send ``task-received``, with what Celery's strategy says of a job."""
        self.send(
            "task-received",
            headers["id"],
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
