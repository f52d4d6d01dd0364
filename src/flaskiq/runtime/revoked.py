"""What must not run, as Celery's worker keeps it in memory: by id, and by stamps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from celery.utils.functional import maybe_list
from celery.worker import state

from flaskiq.store.store import REMEMBERED, Store


def learn(store: Store) -> None:
    """Take over the ids that Redis remembers.

    Also once a worker listens to broadcasts: one that was sent a moment earlier reached nobody.
    """
    add(store.cancelled())


def add(ids: Iterable[str], stamps: Mapping[str, Any] | None = None) -> None:
    """Take over ids, and stamps with their values."""
    # A worker forgets after three hours, unless told otherwise.
    state.revoked.expires = max(state.revoked.expires, REMEMBERED)
    for job_id in ids:
        state.revoked.add(job_id)
    for name, values in (stamps or {}).items():
        known = maybe_list(state.revoked_stamps.get(name)) or ()
        state.revoked_stamps[name] = {*known, *values}
