"""Chance: what the shop's jobs have in place of work and bad luck."""

from __future__ import annotations

import time
from random import SystemRandom

DICE = SystemRandom()
"""It has no state, so forked processes do not all throw the same."""


def work(shortest: float, longest: float) -> None:
    """Take between so many seconds."""
    time.sleep(DICE.uniform(shortest, longest))


def happens(chance: float) -> bool:
    """Tell whether something comes about that does so in ``chance`` (0 to 1) of all cases."""
    return DICE.random() < chance
