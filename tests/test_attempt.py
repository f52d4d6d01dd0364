"""How an attempt went, and what a job takes along of those it has had."""

from __future__ import annotations

import json

import pytest

from flaskiq.attempt import ERROR_MOST, MOST, Attempt, carry, history, in_short
from flaskiq.failure import Failure, brief
from flaskiq.message import ATTEMPTS_HEADER, renewed
from flaskiq.runtime.jobs import shown
from flaskiq.tally import Ended

RETRIED = Attempt(1, 10.0, 12.5, 0.25, "retried", "ValueError: no answer")


def test_it_waited_from_when_it_was_ready_to_its_start() -> None:
    assert RETRIED.waited == 2.5
    assert RETRIED.as_dict() == {
        "number": 1,
        "ready_at": 10.0,
        "started_at": 12.5,
        "seconds": 0.25,
        "ending": "retried",
        "error": "ValueError: no answer",
        "waited": 2.5,
    }
    assert RETRIED._replace(ready_at=12.6).waited == 0
    assert RETRIED._replace(ready_at=None).waited is None
    assert RETRIED._replace(started_at=None).waited is None


def test_what_a_message_carries_comes_back() -> None:
    exact = RETRIED._replace(started_at=12.50049, seconds=None)
    carried = json.loads(json.dumps(carry(None, exact)))
    assert history(carried) == (RETRIED._replace(seconds=None),)
    assert history(json.loads(json.dumps(carry(carried, RETRIED))))[1:] == (RETRIED,)


def test_the_last_ones_are_carried() -> None:
    carried: object = None
    for number in range(1, 101):
        carried = carry(carried, RETRIED._replace(number=number))
    assert [each.number for each in history(carried)] == list(range(101 - MOST, 101))


@pytest.mark.parametrize("carried", [None, [], 5, "text", [1], [[1]], {"a": 1}, [list(range(9))]])
def test_what_somebody_else_has_written_is_no_history(carried: object) -> None:
    assert history(carried) == ()
    assert carry(carried, RETRIED) == [RETRIED]


def test_an_error_in_short() -> None:
    assert in_short("shop.errors.NoAnswer", "no\n  answer") == "NoAnswer: no answer"
    assert in_short("OSError", "") == "OSError"
    short = in_short("OSError", "x" * 1_000)
    assert len(short) == ERROR_MOST
    assert short.endswith("x…")
    assert brief(OSError("\ud800")) == "OSError: ?"


def test_the_attempt_that_a_job_died_of() -> None:
    error = OSError("gone")
    failure = Failure.of(error, 3, None, "", 10.0, 12.0)
    assert failure.last_attempt() == Attempt(
        3, 10.0, 12.0, failure.failed_at - 12.0, "dead", "OSError: gone"
    )
    assert Failure.of(error, 3).last_attempt() is None


def test_the_last_attempt_of_a_finished_job() -> None:
    done = Ended("a", "shop.Add", "low", 2, "done", 0.5, 20.0, None, None, 10.0)
    assert Attempt.of(done) == Attempt(2, 10.0, 19.5, 0.5, "done")
    dead = done._replace(ending="dead", seconds=None, started_at=18.0, error="OSError: gone")
    assert Attempt.of(dead) == Attempt(2, 10.0, 18.0, 2.0, "dead", "OSError: gone")
    never = done._replace(ending="cancelled", seconds=None)
    assert Attempt.of(never) == Attempt(2, 10.0, None, None, "cancelled")


def test_a_replayed_job_tells_of_what_it_has_been_through() -> None:
    headers = {"id": "a", "retries": 1, ATTEMPTS_HEADER: [list(RETRIED)]}
    raw = json.dumps({"headers": headers}).encode()
    again = json.loads(renewed(raw, RETRIED._replace(number=2, ending="dead")))["headers"]
    assert again["retries"] == 0
    ends = [(each.number, each.ending) for each in history(again[ATTEMPTS_HEADER])]
    assert ends == [(1, "retried"), (2, "dead")]
    assert json.loads(renewed(raw))["headers"][ATTEMPTS_HEADER] == [list(RETRIED)]


def test_an_application_does_not_see_the_header() -> None:
    assert shown({"request": "r1", ATTEMPTS_HEADER: [list(RETRIED)]}) == {"request": "r1"}
