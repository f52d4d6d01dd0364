"""Batches, the last ones first."""

from __future__ import annotations

from flaskiq import current
from flaskiq.store.batches import BatchRecord


def batches(most: int = 100) -> list[BatchRecord]:
    """Return the batches that were begun last, the newest first."""
    return current.state().store.batches.last(most)
