"""Cards: money from those who buy."""

from __future__ import annotations

from typing import Any

from flaskiq.dev.demo.dice import happens, work
from flaskiq.worker import Worker


class ChargeCard(Worker):
    """Fails now and then, and succeeds soon after."""

    name = "shop.ChargeCard"
    queue = "critical"
    max_retries = 5
    retry_backoff = 15
    retry_backoff_max = 120
    retry_on = (TimeoutError,)

    @classmethod
    def perform(
        cls, order: int, cents: int, *, customer: dict[str, Any], api_key: str
    ) -> dict[str, Any]:
        """Charge the card of an order."""
        work(0.01, 0.05)
        if happens(0.08):
            raise TimeoutError(
                "POST https://api.paywell.example/v1/charges: no answer within 5.0 s "
                f"(order {order})"
            )
        return {"order": order, "charged": cents, "by": api_key[:3], "from": customer["name"]}
