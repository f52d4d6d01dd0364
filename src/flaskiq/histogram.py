"""Run times by size: enough to tell percentiles, small enough to be kept for each minute. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

BOUNDS = tuple(
    ms / 1000
    for ms in (
        1, 1.5, 2, 3, 5, 7.5, 10, 15, 20, 30, 45, 65, 100, 150, 225, 335, 500, 750, 1_100, 1_700,
        2_500, 3_800, 5_750, 8_500, 13_000, 20_000, 30_000, 45_000, 65_000, 100_000, 150_000,
        225_000, 335_000,
    )
)  # fmt: skip
"""Upper bounds of the buckets in seconds; from 20 ms on those of Sidekiq's metrics. The last bucket
has none."""


def bucket(seconds: float) -> int:
    """The number of the bucket for a run time."""
    return bisect_left(BOUNDS, seconds)


def percentile(counts: Mapping[int, int], fraction: float) -> float | None:
    """Seconds within which ``fraction`` of the runs ended, None without any.

    Between the bounds of a bucket the runs count as evenly spread; in the last one it is its lower
    bound.
    """
    wanted = fraction * sum(counts.values())
    passed = 0
    for index in sorted(counts):
        count = counts[index]
        if count and passed + count >= wanted:
            low = BOUNDS[index - 1] if index else 0.0
            high = BOUNDS[index] if index < len(BOUNDS) else low
            return low + (high - low) * max(0.0, wanted - passed) / count
        passed += count
    return None
