"""People and things that do not exist, for the arguments of jobs."""

from __future__ import annotations

from typing import Any

from flaskiq.dev.demo.dice import DICE

NAMES = (
    "Zoë Müller", "Łukasz Żak", "小林 陽子", "Ólafur Jónsson", "Anaïs Lefèvre", "Ada Okafor",
    "Søren Ægir", "Νίκος Παππάς", "Grace O'Neill", "İpek Şahin", "José Ñáñez", "Priya Raman",
)  # fmt: skip

PRODUCTS = (
    "teapot-blue", "crème-brûlée-torch", "matcha-set-抹茶", "garden-gnome", "läufer-rot",
    "rain-boots-38", "chess-set-oak", "desk-lamp", "wool-socks", "espresso-cups-6",
)  # fmt: skip

SUPPLIERS = ("Nordlicht GmbH", "Café & Co", "Żaba sp. z o.o.", "大和商事", "Lefèvre Frères")

COUNTRIES = ("DE", "FR", "PL", "SE")

WAREHOUSES = ("hamburg", "lyon", "gdańsk")

TENANTS = ("acme", "ajax", "zenith")


def customer() -> dict[str, Any]:
    """Return somebody who buys."""
    name = DICE.choice(NAMES)
    return {"name": name, "first_name": name.split()[0], "city": DICE.choice(WAREHOUSES).title()}


def order() -> int:
    """Return the number of an order."""
    return DICE.randrange(100_000, 1_000_000)


def secret() -> str:
    """Return what looks like a key; the dashboard shows none of it."""
    return f"pk_{DICE.getrandbits(96):024x}"


def tenant() -> dict[str, str]:
    """Return on whose behalf a job runs."""
    return {"organization_id": DICE.choice(TENANTS), "user_id": str(DICE.randrange(1, 40))}
