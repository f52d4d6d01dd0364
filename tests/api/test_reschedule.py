"""Changing when many jobs are due, while they move within their set."""

from __future__ import annotations

from datetime import timedelta
from types import ModuleType

import pytest

from flaskiq import api, moments
from flaskiq.api import Filter
from flaskiq.errors import ArgumentError


def test_jobs_that_are_moved_are_not_met_again(sample: ModuleType) -> None:
    start = moments.now().replace(microsecond=0) + timedelta(hours=1)
    sample.Add.perform_bulk(
        [(number, 0) for number in range(2500)],
        at=[start + timedelta(seconds=number) for number in range(2500)],
    )
    told: list[int] = []
    middle = start + timedelta(seconds=1200)
    jobs = api.ScheduledSet()
    assert jobs.reschedule_all(middle, Filter(argument="[1"), told.append) == 1111
    assert sum(job.at == middle.timestamp() for job in jobs) == 1111
    assert sum(told) == len(jobs) == 2500
    assert jobs.reschedule_all(middle) == 2500
    assert {job.at for job in jobs} == {middle.timestamp()}
    with pytest.raises(ArgumentError, match="must be a datetime"):
        jobs.reschedule_all(5)  # type: ignore[arg-type]
