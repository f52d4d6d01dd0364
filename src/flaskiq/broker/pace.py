"""Pace: how long the recent jobs of each queue ran, and so how many to fetch at once."""

from __future__ import annotations

from collections import deque

WORK = 0.010
"""Seconds of work that one fetch may take away from other processes."""

MOST = 100
"""Jobs in one fetch; more gains nothing measurable."""

RECENT = 100
"""Jobs of a queue that count as recent."""

STEP = 20
"""Jobs after which the batch of their queue is computed anew."""


class Pace:
    """Run times of one fetching channel, by queue."""

    def __init__(self) -> None:
        self._queues: dict[str, _Recent] = {}

    def ran(self, queue: str, seconds: float) -> None:
        """Note the run time of a job."""
        recent = self._queues.get(queue) or self._queues.setdefault(queue, _Recent())
        recent.times.append(seconds)
        recent.new += 1
        if recent.new >= STEP or seconds > WORK:
            recent.new, recent.batch = 0, _batch(recent.times)

    def batch(self, queue: str) -> int:
        """How many jobs of a queue one fetch may take: 1 until enough is known."""
        recent = self._queues.get(queue)
        return recent.batch if recent is not None else 1


class _Recent:
    """The last jobs of one queue."""

    __slots__ = ("batch", "new", "times")

    def __init__(self) -> None:
        self.times: deque[float] = deque(maxlen=RECENT)
        self.new, self.batch = 0, 1


def _batch(times: deque[float]) -> int:
    if len(times) < STEP:
        return 1
    p95 = sorted(times)[int(len(times) * 0.95)]
    return max(1, min(MOST, int(WORK / max(p95, 1e-6))))
