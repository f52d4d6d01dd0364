"""What a body is given, and jobs in parallel whose summary always runs."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from processes import Process
from redis import Redis

from flaskiq import ArgumentError
from flaskiq.chords import chord_results, parallel
from flaskiq.chords import chords as unfinished

Start = Callable[..., Process]


def test_results_in_one_form() -> None:
    found = chord_results([1, None, {"status": "failed", "error": "x"}, {"status": "ok"}])
    assert found == [1, None, {"status": "failed", "error": "x"}, {"status": "ok"}]
    assert found.failed == [None, {"status": "failed", "error": "x"}]
    assert found.succeeded == [1, {"status": "ok"}]
    assert found.summary == {"total": 4, "succeeded": 2, "failed": 2}
    assert chord_results(None).summary == {"total": 0, "succeeded": 0, "failed": 0}


def test_parallel_where_jobs_are_eager(
    jobs: ModuleType, store: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(jobs.celery_app.conf.changes, "task_always_eager", True)
    first, second = parallel([jobs.Double.s(1), jobs.Fail], jobs.Collect.s("eager")).get()
    assert first == 2
    assert (second["status"], second["error"]) == ("failed", "broken")
    assert store.llen("ran:eager") == 1


@pytest.mark.parametrize(
    ("workers", "then", "limit"),
    [(["x"], None, None), ([], "x", None), ([], None, 0), ([], None, True), ([], None, "2")],
)
def test_what_parallel_refuses(jobs: ModuleType, workers: Any, then: Any, limit: Any) -> None:
    with pytest.raises(ArgumentError, match=r"parallel: (workers|then|limit)"):
        parallel(workers, then or jobs.Collect, limit=limit)


def test_parallel_without_jobs(jobs: ModuleType, start: Start) -> None:
    start()
    assert parallel([], jobs.Collect).get(timeout=20) == []


def test_what_is_held_back_is_shown(jobs: ModuleType, store: Redis, start: Start) -> None:
    result = parallel([jobs.Hold.s("x", n) for n in range(5)], jobs.Collect, limit=2)
    assert store.llen("default") == 2
    (found,) = unfinished()
    places = [str(part.place) for part in found.missing]
    assert places == ["ready default"] * 2 + ["held back"] * 3
    assert (found.limit, found.is_stuck) == (2, False)
    start("-c", "4")
    store.set("go:x", 1)
    assert result.get(timeout=20) == list(range(5))
