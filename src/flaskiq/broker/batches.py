"""How a batch hears of the end of its jobs: before they are acknowledged, so none is forgotten."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flaskiq.broker.patience import insist
from flaskiq.message import BATCH_HEADER
from flaskiq.store.batches import Outcome
from flaskiq.store.store import Store
from flaskiq.tally import Ending

_OUTCOMES: Mapping[Ending, Outcome] = {
    "done": "done",
    "retried": "failed",
    "dead": "dead",
    "discarded": "skipped",
    "cancelled": "skipped",
}
"""A snoozed job has come to no end."""


def note(
    open_store: Callable[[], Store], headers: Mapping[str, Any], job_id: str, ending: Ending
) -> None:
    """Tell the batch of a job, if it is in one; wait for Redis as long as it takes."""
    batch_id, outcome = headers.get(BATCH_HEADER), _OUTCOMES.get(ending)
    if batch_id and outcome:
        insist(
            lambda: open_store().batches.settle(batch_id, [(job_id, outcome)]),
            f"Batch {batch_id} hears of job {job_id}",
        )
