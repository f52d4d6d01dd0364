"""Receipts: mails to those who have bought."""

from __future__ import annotations

from flaskiq.dev.demo.dice import work
from flaskiq.worker import Worker


class SendReceipt(Worker):
    """Quick, and never fails."""

    name = "shop.SendReceipt"
    queue = "critical"

    @classmethod
    def perform(cls, order: int, to: str) -> str:
        """Send the receipt of an order."""
        work(0.005, 0.03)
        return f"receipt of {order} sent to {to}"
