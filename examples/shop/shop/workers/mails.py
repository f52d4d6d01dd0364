"""Mails to customers."""

from __future__ import annotations

from datetime import timedelta

from flaskiq import Worker, current_tenant

from shop import database, mail


class Welcome(Worker):
    """Somebody waits for it."""

    queue = "critical"

    @classmethod
    def perform(cls, customer_id: int) -> None:
        mail.send(_email_of(customer_id), "Welcome")


class Nudge(Worker):
    """A word to a customer who has ordered nothing; a late one is worse than none."""

    queue = "low"
    expires = timedelta(days=1)

    @classmethod
    def perform(cls, customer_id: int) -> None:
        if not database.rows("SELECT 1 FROM orders WHERE customer_id = ?", customer_id):
            mail.send(_email_of(customer_id), "Is there nothing that you like?")


class Confirmation(Worker):
    """The mail server may be down for a while, and the order may be deleted meanwhile."""

    max_retries = 5
    retry_backoff = 30
    discard_on = (database.NotFoundError,)

    @classmethod
    def perform(cls, order_id: int) -> None:
        order = database.row("SELECT * FROM orders WHERE id = ?", order_id)
        seller = current_tenant.organization_id or "the shop"
        mail.send(_email_of(order["customer_id"]), f"Order {order_id} from {seller}")


def _email_of(customer_id: int) -> str:
    return str(database.row("SELECT * FROM customers WHERE id = ?", customer_id)["email"])
