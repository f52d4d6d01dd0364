"""Occasions: what happens in the shop, each a function that enqueues the jobs of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from celery import chord

from flaskiq.batch import Batch
from flaskiq.dev.demo import people
from flaskiq.dev.demo.dice import DICE, happens
from flaskiq.dev.demo.jobs.archive import ArchiveOrders
from flaskiq.dev.demo.jobs.cards import ChargeCard
from flaskiq.dev.demo.jobs.carts import RemindOfCart
from flaskiq.dev.demo.jobs.catalogue import ImportCatalogue, ImportProduct, PublishCatalogue
from flaskiq.dev.demo.jobs.images import ResizeImage
from flaskiq.dev.demo.jobs.inventory import SyncInventory
from flaskiq.dev.demo.jobs.letters import SendLetter
from flaskiq.dev.demo.jobs.parcels import DOWN, NotifyWarehouse, TrackParcel
from flaskiq.dev.demo.jobs.receipts import SendReceipt
from flaskiq.dev.demo.jobs.reports import CountRegion, MergeRegions
from flaskiq.dev.demo.jobs.taxes import AlertAccounting, ExportOrder

REGIONS = {"north": 4, "south": 4, "east": 8, "west": 15, "übersee": 45}
"""Regions, with the seconds that it takes at most to count what was sold there."""


# One job each.


def charge() -> None:
    """Somebody buys."""
    ChargeCard.set(tenant=people.tenant()).perform_async(
        people.order(),
        DICE.randrange(500, 40_000),
        customer=people.customer(),
        api_key=people.secret(),
    )


def receipt() -> None:
    """Somebody has bought."""
    SendReceipt.perform_async(people.order(), f"{people.customer()['first_name']}@example.org")


def photo() -> None:
    """A product has a new photo."""
    width = DICE.choice((160, 320, 640, 1280))
    ResizeImage.perform_async(DICE.choice(people.PRODUCTS), width, width * 3 // 4)


def shipment() -> None:
    """A warehouse is to send something; rarely the one that is down."""
    warehouse = DOWN if happens(0.02) else DICE.choice(people.WAREHOUSES)
    NotifyWarehouse.perform_async(people.order(), warehouse)


def parcel() -> None:
    """Somebody asks where a parcel is."""
    TrackParcel.perform_async(f"JJD{DICE.randrange(10**9):09}")


def export() -> None:
    """An order is told to the tax office; rarely from a country that nobody has thought of."""
    country = "LI" if happens(0.02) else DICE.choice(people.COUNTRIES)
    ExportOrder.perform_async(people.order(), country, password=people.secret())


def forgotten_cart() -> None:
    """Somebody has filled a cart and left; they are reminded some minutes later."""
    products = DICE.sample(people.PRODUCTS, DICE.randrange(1, 4))
    RemindOfCart.perform_in(DICE.uniform(60, 600), people.customer()["name"], products)


def supplier() -> None:
    """A supplier is asked what is in stock."""
    login = {"user": "shop", "password": people.secret()}
    SyncInventory.perform_async(DICE.choice(people.SUPPLIERS), login)


def catalogue_file() -> None:
    """A supplier has sent a file."""
    name = DICE.choice(people.SUPPLIERS)
    ImportCatalogue.perform_async(f"uploads/{name}.csv", DICE.randrange(4_000, 90_000))


# Many jobs each.


def newsletter(letters: int = 450) -> None:
    """Everybody is written to, in one burst; of some the shop does not know the name."""
    offer = DICE.choice(people.PRODUCTS)
    to = [({"city": "Vaduz"} if happens(0.004) else people.customer()) for _ in range(letters)]
    SendLetter.perform_bulk([(each, offer) for each in to])


def new_supplier(products: int = 60, pause: float = 2.5) -> None:
    """A batch that runs for a while: half of it at once, the others one after another."""
    name, now = DICE.choice(people.SUPPLIERS), datetime.now()
    with Batch(f"products of {name}", on_success=PublishCatalogue, properties={"supplier": name}):
        ImportProduct.perform_bulk(
            [(name, number) for number in range(products)],
            at=[now + timedelta(seconds=pause * (n - products // 2)) for n in range(products)],
        )


def photo_shoot() -> None:
    """A batch that soon succeeds."""
    with Batch("photos of the spring collection", on_success=PublishCatalogue):
        ResizeImage.perform_bulk([(product, 640, 480) for product in people.PRODUCTS])


def closing_of_the_month() -> None:
    """A batch that is blocked by a dead job."""
    countries = [*people.COUNTRIES * 3, "LI"]
    with Batch("orders of the month", on_death=(AlertAccounting, {"to": "ops@example.org"})):
        ExportOrder.set(max_retries=0).perform_bulk(
            [
                {"order": people.order(), "country": country, "password": people.secret()}
                for country in countries
            ]
        )


def sales_report() -> None:
    """A chord that takes as long as its slowest part."""
    parts = [CountRegion.s(region, seconds) for region, seconds in REGIONS.items()]
    chord(parts)(MergeRegions.s())


def flash_report() -> None:
    """A chord that is soon done."""
    chord([CountRegion.s("north", 0.1), CountRegion.s("south", 0.2)])(MergeRegions.s())


def end_of_the_year() -> None:
    """A chord that waits for a queue that nobody serves."""
    parts = [CountRegion.s("north", 1), CountRegion.s("south", 1), ArchiveOrders.s(2019)]
    chord(parts)(MergeRegions.s())


def mishaps() -> None:
    """Jobs that die at once, each of something else."""
    SendLetter.set(queue="critical").perform_bulk([({"city": "Vaduz"}, "teapot-blue")] * 2)
    ExportOrder.set(max_retries=0).perform_async(people.order(), "CH", password=people.secret())
    NotifyWarehouse.set(max_retries=0).perform_async(people.order(), DOWN)


def outage() -> None:
    """A warehouse that is down is told of some orders."""
    NotifyWarehouse.perform_bulk([(people.order(), DOWN) for _ in range(6)])


def plans() -> None:
    """Jobs for the next minutes, hours, days and weeks."""
    now = datetime.now()
    ahead = [timedelta(minutes=2 * n) for n in range(1, 15)]
    ahead += [timedelta(hours=n) for n in (1, 2, 5, 12)]
    ahead += [timedelta(days=n) for n in (1, 2, 7, 30)]
    carts = [(people.customer()["name"], [DICE.choice(people.PRODUCTS)]) for _ in ahead]
    RemindOfCart.perform_bulk(carts, at=[now + each for each in ahead])
