"""How many workers are needed for what waits."""

from __future__ import annotations

from types import ModuleType

import pytest

from flaskiq import api
from flaskiq.api import Target
from flaskiq.api.demand import needs
from flaskiq.errors import ArgumentError
from flaskiq.store.store import Store


@pytest.mark.parametrize(
    ("jobs", "latency", "running", "workers", "why"),
    [
        (0, 0, 3, 1, "there are never fewer"),
        (100, 0, 1, 1, "there are never fewer"),
        (101, 0, 1, 2, "101 jobs wait, 100 for each worker are wanted"),
        (5_000, 0, 1, 10, "there are never more; 50 would be needed"),
        (10, 45, 4, 6, "a job has waited for 45 s, 30 s are wanted"),
        (10, 4_500, 4, 8, "a job has waited for 4500 s, 30 s are wanted"),
        (10, 30, 4, 1, "there are never fewer"),
        (10, 90, 0, 1, "there are never fewer"),
        (700, 45, 4, 7, "700 jobs wait, 100 for each worker are wanted"),
    ],
)
def test_what_is_needed(jobs: int, latency: float, running: int, workers: int, why: str) -> None:
    assert needs(Target(), jobs, latency, running) == (workers, why)


def test_more_than_the_most_at_least() -> None:
    with pytest.raises(ArgumentError, match="the least, 3, is above the most, 2"):
        Target(least=3, most=2)


def test_what_waits(sample: ModuleType, jobs: Store) -> None:
    sample.Add.perform_bulk([(n, n) for n in range(250)])
    found = api.demand(Target(least=0))
    assert (found.workers, found.running, found.jobs) == (3, 0, 250)
    queue = next(each.name for each in api.queues() if each.size)
    assert api.demand(Target(least=0), [queue]).workers == 3
    other = next(each.name for each in api.queues() if not each.size)
    assert api.demand(Target(least=0), [other]).workers == 0
    api.Queue(queue).pause()
    assert api.demand(Target(least=0)).workers == 0, "nobody may work there"
    with pytest.raises(ArgumentError, match="there is no queue 'defualt'; did you mean"):
        api.demand(Target(), ["defualt"])


def test_a_number_is_kept_for_a_while(sample: ModuleType, jobs: Store) -> None:
    sample.Add.perform_bulk([(n, n) for n in range(250)])
    assert api.demand(Target(), cool_down=60).workers == 3
    for queue in api.Queue.all():
        queue.clear()
    found = api.demand(Target(), cool_down=60)
    assert (found.workers, found.reason) == (3, "so many were needed less than 60 s ago")
    assert api.demand(Target(most=2), cool_down=60).workers == 2
    assert api.demand(Target(), cool_down=60, group="another").workers == 1
    jobs.client.delete("flaskiq:autoscale:default")
    assert api.demand(Target(), cool_down=60).workers == 1
