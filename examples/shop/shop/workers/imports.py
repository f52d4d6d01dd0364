"""Importing a catalogue: a job for each product, and one when all are there."""

from __future__ import annotations

from flaskiq import Batch, Worker

from shop import database, rates


class ImportCatalogue(Worker):
    """Takes lines of ``sku,price``."""

    @classmethod
    def perform(cls, lines: list[str]) -> None:
        with Batch("catalogue", on_success=PublishCatalogue):
            for line in lines:
                sku, price = line.split(",")
                ImportProduct.perform_async(sku, int(price))


class ImportProduct(Worker):
    """The price is in US cents."""

    queue = "low"
    max_retries = 2

    @classmethod
    async def perform(cls, sku: str, price: int) -> None:
        rate = await rates.fetch("USD")
        database.write(
            "INSERT OR REPLACE INTO products (sku, price) VALUES (?, ?)", sku, round(price / rate)
        )


class PublishCatalogue(Worker):
    """Customers see all of the new prices, or none."""

    @classmethod
    def perform(cls, batch_id: str) -> None:  # noqa: ARG003 - a callback is given it
        database.write("UPDATE products SET published = 1")
