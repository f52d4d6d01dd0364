"""How fast jobs come and end, from two looks; the counts are what the test says."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from flaskiq.api.backlog import Backlog
from flaskiq.api.flow import Flow, Look, flows
from flaskiq.api.processes import RunningJob
from flaskiq.api.stats import Times

WORKER, QUEUE = ("worker", "shop.Add"), ("queue", "low")


def job(number: int) -> RunningJob:
    return RunningJob(
        id=str(number), worker="shop.Add", queue="low", attempt=1, since=0.0, process="p"
    )


def look(at: float, totals: Mapping[str, int], ready: int, busy: int, exact: bool = True) -> Look:
    times = Times("shop.Add", 5, {}, 0.1, 0.1, 0.2, 0.3)
    return Look(
        at,
        {f"{kind}|{name}|{ending}": count for kind, name in (WORKER, QUEUE)
         for ending, count in totals.items()},
        {QUEUE: Backlog(ready, at - 7), WORKER: Backlog(ready, None, exact)} if ready else {},
        [job(number) for number in range(busy)],
        {WORKER: times},
    )  # fmt: skip


def flow(before: Look, after: Look, kind: str = "queue") -> Flow:
    (found,) = flows(kind, before, after)  # type: ignore[arg-type]
    return found


def test_rates() -> None:
    before = look(100, {"done": 10, "retried": 1, "dead": 1}, ready=20, busy=1)
    after = look(105, {"done": 60, "retried": 3, "dead": 2, "snoozed": 5}, ready=24, busy=2)
    found = flow(before, after)
    assert (found.name, found.backlog, found.running, found.latency) == ("low", 24, 2, 7)
    assert (found.done, found.fails) == (10, 0.6)
    # 58 have ended, of whatever kind, and 5 more wait or run.
    assert found.enters == pytest.approx((58 + 5) / 5)
    assert found.wait == pytest.approx(24 / (58 / 5))
    assert (found.p50, found.p95) == (None, None)
    worker = flow(before, after, "worker")
    assert (worker.name, worker.enters, worker.latency) == ("shop.Add", found.enters, None)
    assert (worker.p50, worker.p95) == (0.1, 0.2)


def test_a_worker_that_takes_jobs_makes_none() -> None:
    found = flow(look(100, {}, ready=10, busy=0), look(101, {}, ready=6, busy=4))
    assert (found.enters, found.done, found.wait) == (0, 0, None)


def test_jobs_fetched_ahead_are_in_neither() -> None:
    found = flow(look(100, {}, ready=10, busy=0), look(101, {}, ready=2, busy=4))
    assert found.enters == 0


def test_the_growth_of_an_estimate_is_not_known() -> None:
    exact, estimate = look(100, {}, 10, 0), look(101, {}, 20, 0, exact=False)
    assert flow(exact, estimate, "worker").enters is None
    assert flow(estimate, exact._replace(at=102), "worker").enters is None
    assert flow(exact, estimate, "queue").enters == 10


def test_what_has_gone_is_still_told_of() -> None:
    found = flow(look(100, {"done": 1}, 2, 0), look(102, {"done": 3}, 0, 0))
    assert (found.name, found.backlog, found.latency, found.wait) == ("low", 0, 0, 0)
    assert (found.done, found.enters) == (1, 0)
