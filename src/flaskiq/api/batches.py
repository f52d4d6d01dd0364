"""Batches, the last ones first."""

from __future__ import annotations

from flaskiq import current
from flaskiq.api.asked import asked
from flaskiq.store.batches import BatchRecord
from flaskiq.store.reading import Reading


@asked
def batches(most: int = 100, skipped: int = 0) -> Reading[list[BatchRecord]]:
    """Return the batches that were begun last, the newest first, behind those skipped."""
    return current.state().store.batches.last.reading(most, skipped)
