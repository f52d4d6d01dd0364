"""Plain Celery tasks, from before the shop had Workers."""

from __future__ import annotations

from celery import shared_task

from shop import database


@shared_task
def pack(order_id: int) -> str:
    """Tell the warehouse what to pack; return the SKU."""
    order = database.row("SELECT * FROM orders WHERE id = ?", order_id)
    return str(order["sku"])
