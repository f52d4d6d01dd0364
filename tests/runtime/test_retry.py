"""Whether a failed attempt is followed by another, and when."""

from __future__ import annotations

import logging
import pickle
from datetime import timedelta
from statistics import fmean
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from flaskiq import ArgumentError, Discard, Kill, Snooze, Worker
from flaskiq.runtime.outcome import Dead, Discarded, Retry, Snoozed
from flaskiq.runtime.retry import Curve, decide, delay, retries_of

DRAWS = 1000


class Plain(Worker):
    @classmethod
    def perform(cls) -> None: ...


class Steady(Plain):
    retry_backoff = False


class Steep(Plain):
    retry_backoff = 100
    retry_backoff_max = 150


class Picky(Steady):
    retry_on = (OSError, LookupError)
    discard_on = (FileNotFoundError,)


class Patient(Steady):
    retry_for = timedelta(minutes=1)
    max_retries = 1


def ask(answer: Any) -> type[Worker]:
    """Return a Worker whose retry_in returns ``answer``, or raises it."""

    class Asked(Steady):
        @classmethod
        def retry_in(cls, attempt: int, exc: Exception) -> float | timedelta | None:
            if isinstance(answer, Exception):
                raise answer
            return answer(attempt, exc) if callable(answer) else answer

    return Asked


@pytest.mark.parametrize("attempt", [1, 2, 3])
def test_three_retries_follow_the_first_attempt(attempt: int) -> None:
    error = OSError()
    assert decide(Steady, attempt, None, error) == Retry(error, 10)


def test_the_fourth_failure_is_the_last() -> None:
    error = OSError()
    assert decide(Steady, 4, None, error) == Dead(error)


def test_the_job_itself_may_have_another_count() -> None:
    error = OSError()
    assert decide(Steady, 1, 0, error) == Dead(error)
    assert decide(Steady, 9, 9, error) == Retry(error, 10)
    assert decide(Patient, 2, 1, error) == Dead(error)


def test_a_soft_time_limit_is_not_retried() -> None:
    error = SoftTimeLimitExceeded()
    assert decide(Steady, 1, None, error) == Dead(error)


@pytest.mark.parametrize("attempt", range(1, 13))
def test_waits_are_drawn_from_the_whole_range(attempt: int) -> None:
    ceiling = min(600, 2 ** (attempt - 1))
    draws = [delay(Plain, attempt, OSError()) for _ in range(DRAWS)]
    assert min(draws) >= 0
    assert max(draws) <= ceiling
    # Of 1,000 draws the mean is 1.8 % off on average; so many draws hold 5 % for sure.
    many = draws + [delay(Plain, attempt, OSError()) for _ in range(20 * DRAWS)]
    assert fmean(many) == pytest.approx(ceiling / 2, rel=0.05)


@pytest.mark.parametrize("attempt", range(1, 26))
def test_sidekiqs_curve(attempt: int) -> None:
    count = attempt - 1
    draws = [delay(Plain, attempt, OSError(), "sidekiq") for _ in range(DRAWS)]
    least = count**4 + 15
    assert min(draws) >= least
    assert max(draws) <= least + 10 * (count + 1) - 1
    assert fmean(draws) == pytest.approx(least + (10 * (count + 1) - 1) / 2, rel=0.05)


def test_sidekiqs_25_retries_take_20_days_without_jitter() -> None:
    waits = [
        min(delay(Plain, attempt, OSError(), "sidekiq") for _ in range(DRAWS))
        for attempt in range(1, 26)
    ]
    assert retries_of(Plain, "sidekiq") == len(waits)
    assert sum(waits) / 86_400 == pytest.approx(20.4, abs=0.05)


@pytest.mark.parametrize("curve", ["exponential", "sidekiq"])
def test_what_a_worker_says_wins_over_the_curve(curve: Curve) -> None:
    class Says(Steady):
        max_retries = 2

    class Inherits(Says):
        pass

    assert retries_of(Inherits, curve) == 2
    assert delay(Inherits, 3, OSError(), curve) == 10


def test_a_number_is_the_factor_and_the_maximum_holds() -> None:
    assert all(delay(Steep, 1, OSError()) <= 100 for _ in range(100))
    draws = [delay(Steep, 9, OSError()) for _ in range(300)]
    assert max(draws) <= 150
    assert max(draws) > 100


def test_only_errors_that_it_names_are_retried() -> None:
    for error in (OSError(), KeyError()):
        assert decide(Picky, 1, None, error) == Retry(error, 10)
    error = ValueError()
    assert decide(Picky, 1, None, error) == Dead(error)


def test_kill_ends_the_job_whatever_it_has_left() -> None:
    error = Kill("enough")
    assert decide(Picky, 1, 100, error) == Dead(error)


def test_an_error_to_discard_ends_the_job() -> None:
    for error in (FileNotFoundError(), Discard("no such order")):
        assert decide(Picky, 1, None, error) == Discarded(error)
    assert decide(Picky, 9, None, FileNotFoundError()) != Dead(FileNotFoundError())


@pytest.mark.parametrize(("seconds", "wait"), [(30, 30), (timedelta(minutes=2), 120), (0, 0)])
def test_a_snooze_never_ends_the_job(seconds: Any, wait: float) -> None:
    error = Snooze(seconds)
    assert decide(Steady, 100, 0, error, age=1e9) == Snoozed(error, wait)


@pytest.mark.parametrize("delay", [-1, "30", None])
def test_a_snooze_of_no_length(delay: Any) -> None:
    with pytest.raises(ArgumentError, match="Snooze"):
        Snooze(delay)


def test_a_snooze_comes_back_from_a_pickle() -> None:
    assert pickle.loads(pickle.dumps(Snooze(timedelta(hours=1)))).delay == 3600


def test_retry_for_counts_time_in_place_of_attempts() -> None:
    error = OSError()
    assert decide(Patient, 1, None, error) == Retry(error, 10)
    assert decide(Patient, 50, None, error, age=40) == Retry(error, 10)
    assert decide(Patient, 5, None, error, age=55) == Retry(error, 5)
    assert decide(Patient, 2, None, error, age=60) == Dead(error)


def test_retry_in_says_the_wait() -> None:
    error = OSError()
    asked = ask(lambda attempt, exc: attempt * 7 if exc is error else None)
    assert decide(asked, 3, None, error) == Retry(error, 21)
    assert delay(ask(timedelta(minutes=3)), 1, error) == 180
    assert delay(ask(0), 1, error) == 0
    assert delay(ask(None), 1, error) == 10
    assert delay(asked, 3, error, "sidekiq") == 21


@pytest.mark.parametrize("answer", [RuntimeError("broken"), -1, "soon", float("nan")])
def test_a_retry_in_that_fails_costs_no_attempt(
    answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert delay(ask(answer), 1, OSError()) == 10
    assert "Asked.retry_in has failed; the default wait is used" in caplog.text
