"""Celery's Control with a revoke that lasts, whether or not a worker listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.app.control import Control
from celery.utils.functional import maybe_list
from kombu.utils.imports import symbol_by_name

from flaskiq import current
from flaskiq.broker import batches
from flaskiq.message import read
from flaskiq.store.store import Store

if TYPE_CHECKING:
    _Base = Control
else:
    _Base = object


class DurableRevoke(_Base):
    """Mixin for a Control class: what is revoked is written to Redis before workers are told.

    A broadcast reaches only the workers that listen at that moment. ``broadcast`` is where
    ``revoke``, ``terminate``, ``AsyncResult.revoke``, Flower and ``celery control revoke`` meet.
    """

    app: Any

    def broadcast(self, command: str, arguments: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Send a command to the workers; a revoke is remembered first.

        Raises:
            kombu.exceptions.OperationalError: Redis could not be reached; nothing was revoked.
        """
        if command == "revoke":
            self._remember({**kwargs, **(arguments or {})}.get("task_id"))
        return super().broadcast(command, arguments, *args, **kwargs)

    def _remember(self, task_id: Any) -> None:
        with (
            self.app.producer_or_acquire() as producer,
            producer.connection._reraise_as_library_errors(),  # noqa: SLF001 - as Celery's publish
        ):
            store = getattr(producer.channel, "store", None)
            if isinstance(store, Store):
                for job_id in set(maybe_list(task_id) or ()):
                    cancel(self.app, store, job_id)


def cancel(celery: Celery, store: Store, job_id: str) -> None:
    """Never run a job. If it waits for a time, nobody else will say so: its result, its chord."""
    waited = store.cancel(job_id)
    if waited is not None:
        end_unstarted(celery, job_id, waited.message, "revoked")


def end_unstarted(celery: Celery, job_id: str, raw: bytes, reason: str) -> None:
    """Record that a job will not run: its result is ``REVOKED``, and its chord ends.

    There is nobody to tell of one whose message cannot be read.
    """
    try:
        message = read(raw)
    except (ValueError, KeyError, TypeError):
        return
    state = current.state_of(celery)
    if state is not None:
        batches.note(lambda: state.store, message.headers, job_id, "cancelled")
    embed = message.embed
    if not message.headers.get("ignore_result") or embed.get("chord") or embed.get("chain"):
        celery.backend.mark_as_revoked(
            job_id,
            reason,
            request=message.context(),
            store_result=not message.headers.get("ignore_result"),
        )


def install(celery: Celery) -> None:
    """Give a Celery app the revoke that lasts, over the Control class it has."""
    base: Any = symbol_by_name(celery.control_cls)  # type: ignore[arg-type]
    celery.control_cls = type("Control", (DurableRevoke, base), {})  # type: ignore[assignment]
    vars(celery).pop("control", None)
