"""How a batch hears of the end of its jobs: before they are acknowledged, so none is forgotten."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from kombu.exceptions import OperationalError
from redis import RedisError

from flaskiq.message import BATCH_HEADER
from flaskiq.store.batches import Outcome
from flaskiq.store.store import Store
from flaskiq.tally import Ending

logger = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds between two tries while Redis is out of reach."""

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
    while batch_id and outcome:
        try:
            open_store().batches.settle(batch_id, [(job_id, outcome)])
        except (RedisError, OSError, OperationalError) as error:  # noqa: PERF203
            logger.warning(
                "Batch %s hears of job %s when Redis is back: %s", batch_id, job_id, error
            )
            time.sleep(PAUSE)
        else:
            return
