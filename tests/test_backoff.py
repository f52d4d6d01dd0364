"""The wait before the next attempt."""

from __future__ import annotations

import statistics

import pytest

from flaskiq import backoff

DRAWS = 2_000


@pytest.mark.parametrize(
    ("attempt", "factor", "maximum", "ceiling"),
    [
        (1, 1.0, 600.0, 1.0),
        (2, 1.0, 600.0, 2.0),
        (5, 1.0, 600.0, 16.0),
        (3, 2.5, 600.0, 10.0),
        (11, 1.0, 600.0, 600.0),
        (5000, 1.0, 600.0, 600.0),
    ],
)
def test_draws_evenly_below_the_ceiling(
    attempt: int, factor: float, maximum: float, ceiling: float
) -> None:
    draws = [backoff.exponential(attempt, factor=factor, maximum=maximum) for _ in range(DRAWS)]
    assert all(0 <= draw <= ceiling for draw in draws)
    assert statistics.fmean(draws) == pytest.approx(ceiling / 2, rel=0.1)
    assert max(draws) > 0.95 * ceiling
