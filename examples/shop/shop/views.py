"""The views. Each writes down what it was told, enqueues what is to follow, and answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, g, request

from shop import database
from shop.tasks import pack
from shop.workers.imports import ImportCatalogue
from shop.workers.mails import Confirmation, Nudge, Welcome

shop = Blueprint("shop", __name__)

Answer = tuple[dict[str, Any], int]


@shop.before_request
def find_tenant() -> None:
    """Several organizations sell here: the jobs of a request are for the one that it is for."""
    g.organization_id = request.headers.get("X-Organization")


@shop.post("/signup")
def signup() -> Answer:
    """A customer: ``email``."""
    email = request.form["email"]
    customer_id = database.write("INSERT INTO customers (email) VALUES (?)", email)
    Welcome.perform_async(customer_id)
    Nudge.perform_in(timedelta(days=3), customer_id)
    return {"customer_id": customer_id}, 201


@shop.post("/orders")
def order() -> Answer:
    """An order: ``customer_id`` and ``sku``."""
    order_id = database.write(
        "INSERT INTO orders (customer_id, sku) VALUES (?, ?)",
        request.form["customer_id"],
        request.form["sku"],
    )
    Confirmation.perform_async(order_id)
    pack.delay(order_id)
    return {"order_id": order_id}, 201


@shop.post("/imports")
def start_import() -> Answer:
    """A catalogue: lines of ``sku,price``."""
    job = ImportCatalogue.perform_async(request.get_data(as_text=True).split())
    return {"job_id": job.id}, 202
