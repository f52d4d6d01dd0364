"""Catalogue: files of suppliers that become products."""

from __future__ import annotations

from flaskiq.batch import Batch
from flaskiq.current import current_job
from flaskiq.dev.demo.dice import DICE, happens, work
from flaskiq.worker import Worker


class ImportCatalogue(Worker):
    """Slow, tells how far it is, and ends when it is cancelled; some files are no good."""

    name = "shop.ImportCatalogue"
    queue = "low"
    max_retries = 1
    retry_backoff = False
    retry_delay = 20

    @classmethod
    def perform(cls, path: str, rows: int) -> str:
        """Read a file of a supplier."""
        broken = DICE.randrange(rows) if happens(0.2) else None
        for row in range(0, rows, rows // 40):
            if current_job.is_cancelled:
                return f"stopped at row {row:,}"
            if broken is not None and row > broken:
                raise ValueError(f"{path}: row {row:,} has 11 columns, expected 12")
            current_job.progress(row, rows, f"row {row:,} of {rows:,}")
            work(0.2, 0.45)
        return f"{rows:,} rows"


class ImportProduct(Worker):
    """One of many in a batch."""

    name = "shop.ImportProduct"
    queue = "low"

    @classmethod
    def perform(cls, supplier: str, number: int) -> str:
        """Make one product of a supplier."""
        work(0.2, 0.8)
        return f"{supplier} {number:04}"


class PublishCatalogue(Worker):
    """What follows when a batch of products is there."""

    name = "shop.PublishCatalogue"

    @classmethod
    def perform(cls, batch_id: str) -> str:
        """Let the customers see it."""
        work(0.5, 1.5)
        Batch.of(batch_id).set(published=True)
        return "published"
