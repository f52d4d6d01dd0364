"""Reports: what was sold where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from flaskiq.dev.demo.dice import DICE, work
from flaskiq.worker import Worker


class NightlyReport(Worker):
    """At half past two in Berlin, also when the clocks change."""

    name = "shop.NightlyReport"
    queue = "low"
    cron_schedule = "30 2 * * *"
    cron_timezone = "Europe/Berlin"
    cron_kwargs: ClassVar[Mapping[str, Any]] = {"currency": "EUR"}
    expires = 6 * 3600

    @classmethod
    def perform(cls, currency: str) -> str:
        """Write the report of the day before."""
        work(2, 5)
        return f"report-{currency.lower()}.pdf"


class CountRegion(Worker):
    """A part of a chord."""

    name = "shop.CountRegion"

    @classmethod
    def perform(cls, region: str, seconds: float) -> int:
        """Add up what was sold in a region."""
        work(seconds / 2, seconds)
        return len(region) * DICE.randrange(1_000, 90_000)


class MergeRegions(Worker):
    """The body of that chord."""

    name = "shop.MergeRegions"

    @classmethod
    def perform(cls, cents: list[int]) -> str:
        """Write the report of all regions."""
        work(0.1, 0.5)
        return f"€ {sum(cents) / 100:,.2f}"
