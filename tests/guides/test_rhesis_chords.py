"""The code about chords of Rhesis' "Worker Troubleshooting Guide", run for real.

It is as it stands there (``tests/guides/rhesis``); only the import line of the health check was
changed.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from celery import chord
from processes import Process
from redis import Redis

from flaskiq.chords import chord_results, recover
from flaskiq.chords import worker_health_check as ours

SAMPLES = Path(__file__).parent / "rhesis"

FAILED = {"status": "failed", "error": "no answer"}


def run(sample: str, **given: Any) -> dict[str, Any]:
    """Run a sample of the guide, and return what it defines."""
    names = dict(given)
    exec((SAMPLES / sample).read_text(), names)
    return names


def health_check() -> dict[str, Any]:
    """Return what the guide's health check does."""
    return dict(run("health_check.py")["worker_health_check"]())


def normalise(results: Any) -> tuple[list[Any], int]:
    """Return what the guide makes of the results of a chord, and how many it counts as failed."""
    # It stands in the body of a chord there; tests/guides/test_rhesis.py runs that as it is.
    code = (SAMPLES / "collect_results.py").read_text()
    body = code[code.index("    # Handle different") : code.index("    return")]
    found: dict[str, Any] = {"results": results}
    exec(textwrap.dedent(body), found)
    return found["processed_results"], found["failed_tasks"]


def publish(sample: ModuleType) -> Any:
    """Publish a chord for which no worker runs."""
    return chord([sample.Add.s(1, 2), sample.Add.s(3, 4)])(sample.total.s())


def test_the_health_check_without_chords(sample: ModuleType) -> None:
    assert health_check() == {"status": "healthy", "active_chord_unlocks": 0, "stuck_chords": 0}
    assert ours() == health_check()


def test_the_health_check_while_a_chord_waits_and_when_it_is_stuck(
    sample: ModuleType, store: Redis
) -> None:
    result = publish(sample)
    assert health_check() == {"status": "healthy", "active_chord_unlocks": 1, "stuck_chords": 0}
    assert ours() == health_check()
    lost = result.parent.results[0].id
    (raw,) = (
        raw for raw in store.lrange("default", 0, -1) if json.loads(raw)["headers"]["id"] == lost
    )
    store.lrem("default", 1, raw)
    assert health_check() == {"status": "unhealthy", "active_chord_unlocks": 1, "stuck_chords": 1}
    assert ours() == health_check()
    recover(result.parent.id)
    assert health_check()["status"] == "healthy"


def test_the_health_check_after_the_end(sample: ModuleType, sample_worker: Process) -> None:
    assert publish(sample).get(timeout=20) == 10
    assert health_check() == {"status": "healthy", "active_chord_unlocks": 0, "stuck_chords": 0}


@pytest.mark.parametrize(
    "results",
    [
        None,
        [],
        [1, 0, "", "text", [], [1], [1, 2, 3], {}, {"status": "done"}, False],
        [None],
        [FAILED, {"status": "completed", "error": None}],
        [[["id", None], None]],
        [[["id", None], FAILED]],
        [[["id", 5], FAILED]],
        [[["id", None], {"status": "completed"}]],
        [3, None, FAILED, [["id", None], FAILED], [["id", None], None], "x"],
    ],
    ids=str,
)
def test_chord_results_are_those_of_the_guide(results: list[Any] | None) -> None:
    values, failed = normalise(results)
    found = chord_results(results)
    assert (list(found), len(found.failed)) == (values, failed)
    assert found.summary == {
        "total": len(values),
        "succeeded": len(values) - failed,
        "failed": failed,
    }


def test_an_error_that_is_a_text_has_failed() -> None:
    results = [[["id", None], "broken"], [["id", 5], "broken"]]
    assert normalise(results) == (["broken", "broken"], 0)
    error = {"status": "failed", "task_id": "id", "error": "broken"}
    assert chord_results(results) == [error, error]
    assert chord_results(results).summary == {"total": 2, "succeeded": 0, "failed": 2}


def test_a_value_without_an_error_has_not_failed() -> None:
    results = [[["id", 5], None]]
    assert normalise(results) == ([None], 1)
    assert chord_results(results) == [5]
    assert chord_results(results).summary == {"total": 1, "succeeded": 1, "failed": 0}


def test_a_pair_is_a_value() -> None:
    results = [[3, 4], ["a", None], [["a", "b"], ["c", "d"]]]
    assert chord_results(results)[:2] == results[:2]
    assert normalise(results)[0][:2] == [4, None]
