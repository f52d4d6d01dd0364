"""Letters: the newsletter, a great many at a time."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, StrictUndefined

from flaskiq.dev.demo.dice import work
from flaskiq.worker import Worker

LETTER = Environment(undefined=StrictUndefined, autoescape=True).from_string(
    "Dear {{ customer.first_name }}, {{ offer }} is back. Yours, the shop"
)


class SendLetter(Worker):
    """Not urgent; dies at once of a customer that the template does not fit."""

    name = "shop.SendLetter"
    queue = "low"
    ignore_result = True
    retry_on = (OSError,)

    @classmethod
    def perform(cls, customer: dict[str, Any], offer: str) -> None:
        """Send one letter."""
        work(0.1, 0.25)
        LETTER.render(customer=customer, offer=offer)
