"""What metrics are made of, as it is added up in a process. No server."""

from __future__ import annotations

import json
import math
import threading
from collections import Counter

import pytest

from flaskiq import histogram
from flaskiq.metrics.metric import SHOWN, Times
from flaskiq.tally import AT_ONCE, MOST, Ended, Ending, Ends, Tally, waited

AT = 1_000_000.0


def ended(ending: Ending = "done", seconds: float | None = 0.01, **more: object) -> Ended:
    return Ended("id", "shop.Add", "low", 1, ending, seconds, AT, **more)  # type: ignore[arg-type]


def collected(*all_of_them: Ended) -> dict[tuple[str, ...], int]:
    tally = Tally(10)
    for each in all_of_them:
        tally.note(each)
    batch = tally.batch()
    assert batch is not None
    return {tuple(json.loads(name)): number for name, number in batch.series.items()}


def test_attempts_run_times_and_waits_are_added_up() -> None:
    found = collected(
        ended(ready_at=AT - 0.51),
        ended(ready_at=AT - 0.51),
        ended("dead", None, ready_at=AT - 9, started_at=AT - 1),
        ended("cancelled", None, ready_at=AT - 9),
    )
    assert found == {
        ("ended", "shop.Add", "low", "done"): 2,
        ("ended", "shop.Add", "low", "dead"): 1,
        ("ended", "shop.Add", "low", "cancelled"): 1,
        ("run", "shop.Add", str(histogram.bucket(0.01))): 2,
        ("run", "shop.Add", "us"): 20_000,
        ("wait", "low", str(histogram.bucket(0.5))): 2,
        ("wait", "low", str(histogram.bucket(8))): 1,
        ("wait", "low", "ms"): 9_000,
    }


def test_what_was_counted_stays_counted() -> None:
    tally = Tally(10)
    tally.note(ended())
    assert tally.counted == Counter()
    tally.batch()
    before = tally.counted
    tally.confirmed()
    tally.note(ended())
    tally.note(ended("dead"))
    tally.batch()
    assert tally.counted == {
        Ends("shop.Add", "low", "done"): 2,
        Ends("shop.Add", "low", "dead"): 1,
    }
    assert before == {Ends("shop.Add", "low", "done"): 1}, "it is replaced, never changed"


@pytest.mark.parametrize("ready_at", [None, "soon", [1], -1e300, -math.inf, AT - 1e9])
def test_a_time_that_cannot_be_true_is_no_wait(ready_at: object) -> None:
    assert waited(ready_at, AT) is None


@pytest.mark.parametrize("ready_at", [AT + 5, math.inf, math.nan])
def test_a_clock_that_is_ahead_makes_no_negative_wait(ready_at: float) -> None:
    assert waited(ready_at, AT) == 0


def test_the_bounds_that_are_shown_are_bounds_that_are_counted() -> None:
    assert set(SHOWN) <= set(histogram.BOUNDS)
    assert list(SHOWN) == sorted(SHOWN)


def test_buckets_hold_all_that_took_no_longer() -> None:
    counts = Counter(map(histogram.bucket, (0.001, 0.0011, 0.1, 335, 336, 5000)))
    buckets = dict(Times(counts, 5671.1).buckets())
    assert [*map(float, buckets)] == [*SHOWN, math.inf]
    assert buckets["0.001"] == 1
    assert buckets["0.003"] == buckets["0.03"] == 2
    assert buckets["0.1"] == buckets["150.0"] == 3
    assert buckets["335.0"] == 4
    assert buckets["+Inf"] == 6


def test_what_has_finished_goes_in_parts_the_last_of_it() -> None:
    tally = Tally(10_000)
    for number in range(MOST + 1):
        tally.note(ended()._replace(id=str(number)))
    first = tally.batch()
    assert first is not None
    assert first.counts["done"] == MOST + 1, "all are counted"
    told = [each.id for each in first.finished]
    numbers = [first.number]
    tally.note(ended()._replace(id="later"))
    while tally.has_more:
        tally.confirmed()
        part = tally.batch()
        assert part is not None
        assert (part.counts, part.times, part.series) == ({}, {}, {})
        told += [each.id for each in part.finished]
        numbers.append(part.number)
    assert told == [str(number) for number in range(1, MOST + 1)]
    assert numbers == list(range(1, MOST // AT_ONCE + 1))
    tally.confirmed()
    last = tally.batch()
    assert last is not None
    assert [each.id for each in last.finished] == ["later"]


def test_threads_lose_no_count() -> None:
    tally, counted = Tally(10), 0

    def note() -> None:
        for _ in range(5_000):
            tally.note(ended())

    threads = [threading.Thread(target=note) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        batch = tally.batch()
        counted += batch.counts.get("done", 0) if batch else 0
        tally.confirmed()
    while (batch := tally.batch()) is not None:
        counted += batch.counts.get("done", 0)
        tally.confirmed()
    assert counted == 20_000
    assert sum(tally.counted.values()) == 20_000
