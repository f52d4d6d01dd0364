"""Rates: what a currency is worth."""

from __future__ import annotations

from flaskiq.dev.demo.dice import work
from flaskiq.worker import Worker


class RefreshRates(Worker):
    """While the exchange in New York is open."""

    name = "shop.RefreshRates"
    cron_schedule = "*/5 9-16 * * mon-fri"
    cron_timezone = "America/New_York"
    cron_args = ("USD",)
    cron_jitter = 20

    @classmethod
    def perform(cls, base: str) -> str:
        """Fetch the rates of a currency."""
        work(0.1, 0.4)
        return base
