"""Parcels: warehouses that send them, and where they are."""

from __future__ import annotations

from flaskiq.dev.demo.dice import DICE, happens, work
from flaskiq.endings import Snooze
from flaskiq.worker import Worker

DOWN = "leipzig"
"""A warehouse that never answers."""


class NotifyWarehouse(Worker):
    """Often has to be tried again; for the warehouse that is down, until it gives up."""

    name = "shop.NotifyWarehouse"
    max_retries = 6

    @classmethod
    def retry_in(cls, attempt: int, exc: Exception) -> float:  # noqa: ARG003
        """Return seconds: longer each time, and not the same for all."""
        longest: float = min(10 * 2**attempt, 300)
        return DICE.uniform(longest / 2, longest)

    @classmethod
    def perform(cls, order: int, warehouse: str) -> str:
        """Tell a warehouse of an order."""
        work(0.01, 0.04)
        if warehouse == DOWN or happens(0.08):
            raise ConnectionError(f"https://{warehouse}.warehouse.example: connection refused")
        return f"order {order} is on the list of {warehouse}"


class TrackParcel(Worker):
    """Puts itself off until there is something to tell."""

    name = "shop.TrackParcel"
    queue = "low"

    @classmethod
    def perform(cls, parcel: str) -> str:
        """Ask the carrier where a parcel is."""
        work(0.01, 0.03)
        if happens(0.6):
            raise Snooze(DICE.uniform(20, 90))
        return f"{parcel} is at your neighbour's"
