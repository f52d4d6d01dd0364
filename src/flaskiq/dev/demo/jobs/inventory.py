"""Inventory: what the suppliers still have."""

from __future__ import annotations

from flaskiq.dev.demo.dice import work
from flaskiq.worker import Worker


class SyncInventory(Worker):
    """Takes some seconds."""

    name = "shop.SyncInventory"

    @classmethod
    def perform(cls, supplier: str, login: dict[str, str]) -> str:
        """Ask a supplier for all that is in stock."""
        work(2, 6)
        return f"{supplier}: in stock, says {login['user']}"
