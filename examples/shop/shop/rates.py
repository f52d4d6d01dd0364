"""Exchange rates, from a service that answers slowly."""

from __future__ import annotations

import asyncio


async def fetch(currency: str) -> float:
    """Return how much of a currency is one euro."""
    await asyncio.sleep(0.01)  # the network
    return {"EUR": 1.0, "USD": 1.1}[currency]
