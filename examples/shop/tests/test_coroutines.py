"""Modes in coroutines: each task of asyncio has its own."""

from __future__ import annotations

import asyncio

from flask import Flask
from flaskiq.testing import assert_enqueued, drain, fake

from shop import database
from shop.workers.imports import ImportProduct
from shop.workers.mails import Welcome


@fake()
async def one_welcome(customer_id: int) -> None:
    Welcome.perform_async(customer_id)
    await asyncio.sleep(0)  # the other one goes on
    assert_enqueued(Welcome, count=1)
    assert_enqueued(Welcome, args=[customer_id])


def test_coroutines_do_not_see_the_jobs_of_each_other(app: Flask) -> None:
    async def both() -> None:
        await asyncio.gather(one_welcome(1), one_welcome(2))

    asyncio.run(both())


def test_a_worker_that_is_async_runs_within_a_loop(app: Flask) -> None:
    @fake()
    async def import_tea() -> None:
        ImportProduct.perform_async("tea", 220)
        drain()

    asyncio.run(import_tea())
    with app.app_context():
        assert database.row("SELECT price FROM products WHERE sku = 'tea'")["price"] == 200
