"""Attempt: how one execution of a job went; a job takes those it has had along. Pure."""

from __future__ import annotations

from time import time
from typing import Any, NamedTuple

from flaskiq.tally import Ended, Ending, waited

MOST = 25
"""Attempts that a job takes along, the last ones: a job may snooze for weeks."""

ERROR_MOST = 200
"""Characters of an error: all of them go wherever the job goes."""

STARTED = "flaskiq_started"
"""Where the request of a task keeps since when it runs, in the process that runs it."""


class Attempt(NamedTuple):
    """One execution of a job; times in seconds since the epoch, None where nobody knows.

    ``number`` 1 is the first; ``ready_at`` says since when it could have run; ``seconds`` how long
    it ran; ``error`` is in short: ``ValueError: no answer``.
    """

    number: int
    ready_at: float | None
    started_at: float | None
    seconds: float | None
    ending: Ending
    error: str | None = None

    @classmethod
    def ending_now(
        cls,
        number: int,
        ready_at: float | None,
        started_at: float | None,
        ending: Ending,
        error: str | None = None,
    ) -> Attempt:
        """Return the attempt that ends at this moment."""
        seconds = None if started_at is None else time() - started_at
        return cls(number, ready_at, started_at, seconds, ending, error)

    @classmethod
    def of(cls, ended: Ended) -> Attempt:
        """Return the last attempt of a finished job."""
        started_at, seconds = ended.began_at, ended.seconds
        if seconds is None and started_at is not None:
            seconds = ended.at - started_at
        return cls(ended.attempt, ended.ready_at, started_at, seconds, ended.ending, ended.error)

    @property
    def waited(self) -> float | None:
        """Seconds from when it was ready to its start; the clocks of two machines may disagree."""
        return waited(self.ready_at, self.started_at)

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain data, for JSON."""
        return {**self._asdict(), "waited": self.waited}

    def rounded(self) -> Attempt:
        """Return it with times in milliseconds, as a message carries them."""
        times = (self.ready_at, self.started_at, self.seconds)
        ready_at, started_at, seconds = (each if each is None else round(each, 3) for each in times)
        return self._replace(ready_at=ready_at, started_at=started_at, seconds=seconds)


def history(carried: Any) -> tuple[Attempt, ...]:
    """Read what a message carries; nothing where somebody else has written it."""
    try:
        found = tuple(Attempt(*each) for each in carried or ())
    except TypeError:
        return ()
    return tuple(each for each in found if _is_sound(each))


def _is_sound(attempt: Attempt) -> bool:
    times = (attempt.ready_at, attempt.started_at, attempt.seconds)
    return all(each is None or isinstance(each, (int, float)) for each in times)


def carry(carried: Any, attempt: Attempt) -> list[Attempt]:
    """Return what the next message carries: what this one did, and the attempt that has ended."""
    return [*history(carried), attempt.rounded()][-MOST:]


def in_short(error: str, message: str) -> str:
    """Return an error on one short line; ``error`` is its class, maybe with its module."""
    text = " ".join(f"{error.rpartition('.')[2]}: {message}".split()).removesuffix(":")
    return text if len(text) <= ERROR_MOST else f"{text[: ERROR_MOST - 1]}…"
