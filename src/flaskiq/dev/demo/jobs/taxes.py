"""Taxes: what the office wants to know of each order."""

from __future__ import annotations

from flaskiq.dev.demo.dice import work
from flaskiq.worker import Worker

VAT = {"DE": 19, "FR": 20, "PL": 23, "SE": 25}
"""Percent, by country. There are more countries."""


class ExportOrder(Worker):
    """Gives up on an order from a country of which it knows no rate."""

    name = "shop.ExportOrder"
    max_retries = 1
    retry_backoff = False
    retry_delay = 2

    @classmethod
    def perform(cls, order: int, country: str, password: str) -> str:
        """Tell the office of an order."""
        work(0.02, 0.06)
        return f"order {order}: {VAT[country]} % to {country}, signed {'*' * len(password)}"


class AlertAccounting(Worker):
    """What follows when a batch of orders has a dead one."""

    name = "shop.AlertAccounting"
    queue = "critical"

    @classmethod
    def perform(cls, batch_id: str, to: str) -> str:
        """Write to a human."""
        work(0.02, 0.05)
        return f"{to} knows of batch {batch_id}"
