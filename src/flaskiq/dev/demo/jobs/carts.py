"""Carts: filled, and left behind."""

from __future__ import annotations

from flaskiq.dev.demo.dice import DICE, work
from flaskiq.worker import Worker


class ExpireCarts(Worker):
    """Every minute."""

    name = "shop.ExpireCarts"
    cron_schedule = "* * * * *"
    cron_catch_up = "skip"

    @classmethod
    def perform(cls) -> int:
        """Empty what was left long ago; return how many."""
        work(0.05, 0.3)
        return DICE.randrange(20)


class RemindOfCart(Worker):
    """Is always scheduled for later."""

    name = "shop.RemindOfCart"
    queue = "low"

    @classmethod
    def perform(cls, customer: str, products: list[str]) -> str:
        """Ask somebody whether they have forgotten something."""
        work(0.01, 0.04)
        return f"{customer}: {', '.join(products)}"
