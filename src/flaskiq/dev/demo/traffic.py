"""Traffic: what keeps the shop busy, from a first filling on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NoReturn

from flaskiq.api.cron import CronEntry
from flaskiq.dev.demo import occasions
from flaskiq.dev.demo.dice import DICE

Occasion = Callable[[], None]

TICK = 0.1  # seconds

FLOW: dict[Occasion, float] = {
    occasions.photo: 7,
    occasions.receipt: 5,
    occasions.charge: 4,
    occasions.shipment: 2,
    occasions.export: 1,
    occasions.parcel: 0.6,
    occasions.forgotten_cart: 0.4,
}
"""What comes all the time, and how often against the others; none takes long."""

EVERY: tuple[tuple[float, float, Occasion], ...] = (
    (10, 12, occasions.supplier),
    (15, 20, occasions.catalogue_file),
    (30, 60, occasions.newsletter),
    (60, 60, occasions.new_supplier),
    (30, 40, occasions.sales_report),
    (120, 180, occasions.photo_shoot),
    (300, 300, occasions.outage),
    (600, 900, occasions.closing_of_the_month),
)
"""What comes by the clock: seconds after the first filling, seconds from then on, and what.

Together it takes about half of what the worker can do, so that queues grow and shrink.
"""


def fill() -> None:
    """Enqueue the first filling into the current app: something for every page.

    With a worker of the app there is, within seconds, something done, running, ready, scheduled,
    waiting for another attempt and dead, and each kind of batch and chord.
    """
    occasions.outage()
    occasions.mishaps()
    occasions.closing_of_the_month()
    occasions.photo_shoot()
    occasions.flash_report()
    occasions.plans()
    for entry in ("shop.ExpireCarts", "shop.RebuildSearchIndex", "shop.NightlyReport"):
        CronEntry(entry).run_now()
    occasions.sales_report()
    occasions.end_of_the_year()
    occasions.supplier()
    occasions.catalogue_file()
    occasions.new_supplier()
    occasions.newsletter()
    flow(100)


def flow(jobs: int) -> None:
    """Enqueue so many of what comes all the time."""
    for occasion in DICE.choices(list(FLOW), list(FLOW.values()), k=jobs):
        occasion()


def keep_coming(rate: float) -> NoReturn:
    """Enqueue about ``rate`` jobs a second of the flow, and all that comes by the clock."""
    due = {occasion: time.monotonic() + first for first, _, occasion in EVERY}
    owed = 0.0
    while True:
        time.sleep(TICK)
        owed += rate * TICK * DICE.uniform(0, 2)
        flow(int(owed))
        owed -= int(owed)
        for _, pause, occasion in EVERY:
            if time.monotonic() > due[occasion]:
                due[occasion] += pause
                occasion()
