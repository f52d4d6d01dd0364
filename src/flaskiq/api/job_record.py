"""JobRecord: what is known of one job."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from flaskiq import current
from flaskiq.attempt import Attempt, history
from flaskiq.failure import Failure
from flaskiq.job import State
from flaskiq.message import ATTEMPTS_HEADER, ENQUEUED_AT_HEADER, Message, read

SOME_DAY = 253_402_300_800
"""The year 10,000 in seconds since the epoch."""


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """One job as it was found; times in seconds since the epoch.

    ``at`` is when it is due (scheduled, retrying), when it died or finished, or since when it is
    ready or runs; ``process`` is where it runs or is in flight; ``seconds`` how long it ran. What
    is not known is None.
    """

    id: str
    state: State
    worker: str | None = None
    queue: str | None = None
    attempt: int | None = None
    at: float | None = None
    process: str | None = None
    failure: Failure | None = None
    seconds: float | None = None
    tenant: Mapping[str, str] | None = None
    """For whom it is, by field; None also where nobody knows any more."""
    attempts: tuple[Attempt, ...] = ()
    """Those that have ended, the first one first; of many the last ones."""
    raw: bytes | None = None
    """Its message, byte by byte."""

    @classmethod
    def of(cls, raw: bytes, state: State, queue: str, **known: Any) -> JobRecord:
        """Return the record of a message; one that nobody can read has no worker.

        What makes no sense is as if it was not there: anybody may write into a queue.
        """
        headers = _headers(raw)
        facts = {
            "id": str(headers.get("id") or ""),
            "worker": task if isinstance(task := headers.get("task"), str) else None,
            "attempt": int(_number(headers.get("retries")) or 0) + 1 if headers else None,
            "at": _number(headers.get(ENQUEUED_AT_HEADER)),
            "tenant": current.state().tenancy.plain(headers),
            "attempts": _attempts(headers, state, known.get("failure")),
        }
        return cls(state=state, queue=queue, raw=raw, **{**facts, **known})

    @cached_property
    def message(self) -> Message | None:
        """Its message, None if there is none or nobody can read it."""
        try:
            return read(self.raw) if self.raw is not None else None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    @property
    def args(self) -> Sequence[Any] | None:
        """The positional arguments."""
        return self.message.args if self.message else None

    @property
    def kwargs(self) -> Mapping[str, Any] | None:
        """The keyword arguments."""
        return self.message.kwargs if self.message else None

    @property
    def headers(self) -> Mapping[str, Any]:
        """The headers of its message."""
        return _headers(self.raw) if self.raw is not None else {}

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain data, for JSON."""
        found = {name: value for name, value in asdict(self).items() if name != "raw"}
        failure = self.failure._asdict() if self.failure else None
        attempts = [each.as_dict() for each in self.attempts]
        own = {"args": self.args, "kwargs": self.kwargs, "failure": failure, "attempts": attempts}
        return {**found, **own}


def _attempts(
    headers: Mapping[str, Any], state: State, failure: Failure | None
) -> tuple[Attempt, ...]:
    """A dead job lies as it was in flight: of its last attempt only the failure tells."""
    attempts = history(headers.get(ATTEMPTS_HEADER))
    last = failure.last_attempt() if failure and state is State.DEAD else None
    return (*attempts, last) if last else attempts


def _headers(raw: bytes) -> dict[str, Any]:
    try:
        headers = json.loads(raw)["headers"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return headers if isinstance(headers, dict) else {}


def _number(value: Any) -> float | None:
    """Return a time or a count, None if it is none that a clock or a person could mean."""
    return value if isinstance(value, (int, float)) and 0 <= value < SOME_DAY else None
