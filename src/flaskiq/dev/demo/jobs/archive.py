"""Archive: old orders, for a program that does not run here."""

from __future__ import annotations

from flaskiq.dev.demo.app import NOBODYS
from flaskiq.worker import Worker


class ArchiveOrders(Worker):
    """Waits for ever, since nobody serves its queue."""

    name = "shop.ArchiveOrders"
    queue = NOBODYS

    @classmethod
    def perform(cls, year: int) -> int:
        """Archive the orders of a year; return it."""
        return year
