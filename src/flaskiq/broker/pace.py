"""Pace: how long the recent jobs of each queue ran, and so how many to fetch at once."""

from __future__ import annotations

from collections import deque

WORK = 0.010
"""Seconds of work that one fetch may take away from other processes."""

MOST = 50
"""Jobs in one fetch; more gains nothing measurable."""

RECENT = 100
"""Jobs of a queue that count as recent."""

STEP = 20
"""Jobs after which the batch of their queue is computed anew."""


class Pace:
    """Run times of one fetching channel, by queue."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}
        self._new: dict[str, int] = {}
        self._batches: dict[str, int] = {}

    def ran(self, queue: str, seconds: float) -> None:
        """Note the run time of a job."""
        times = self._times.setdefault(queue, deque(maxlen=RECENT))
        times.append(seconds)
        self._new[queue] = self._new.get(queue, 0) + 1
        if self._new[queue] >= STEP or seconds > WORK:
            self._new[queue] = 0
            self._batches[queue] = _batch(times)

    def batch(self, queue: str) -> int:
        """How many jobs of a queue one fetch may take: 1 until enough is known."""
        return self._batches.get(queue, 1)


def _batch(times: deque[float]) -> int:
    if len(times) < STEP:
        return 1
    p95 = sorted(times)[int(len(times) * 0.95)]
    return max(1, min(MOST, int(WORK / max(p95, 1e-6))))
