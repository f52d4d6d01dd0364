"""Order: which queue a fetch asks first."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from kombu.utils import scheduling

_PriorityCycle: Any = scheduling.priority_cycle


class WeightedCycle(_PriorityCycle):
    """Puts all queues into a random order for each fetch, the heavier ones in front more often.

    A queue is in front as often as its weight says, so none starves (Sidekiq's weighted queues). A
    queue without a weight has 1. By Efraimidis and Spirakis, Weighted random sampling, 2006.
    """

    def __init__(self, weights: Mapping[str, int]) -> None:
        super().__init__()
        self._weights = weights

    def consume(self, n: int) -> list[str]:
        """Return the first ``n`` queues of a new order."""
        return sorted(self.items, key=self._draw, reverse=True)[:n]

    def _draw(self, queue: str) -> float:
        return float(random.random() ** (1 / self._weights.get(queue, 1)))  # noqa: S311 - no secret
