"""What is known of a failed attempt, for those who look at the retry set and the dead set. Pure."""

from __future__ import annotations

import json
import traceback as tracebacks
from time import time
from typing import NamedTuple

from flaskiq.attempt import Attempt, in_short

MESSAGE_MOST = 2_000
TRACEBACK_MOST = 6_000
"""Characters that are kept: a hundred thousand jobs may fail of the same cause."""


class Failure(NamedTuple):
    """The last failure of a job; times in seconds since the epoch.

    ``error`` is the name of the class, with its module unless it is a builtin. ``ready_at`` and
    ``started_at`` are of the attempt that a job died of, which its message does not tell of.
    """

    error: str
    message: str
    traceback: str
    attempt: int
    first_failed_at: float
    failed_at: float
    ready_at: float | None = None
    started_at: float | None = None

    @classmethod
    def of(
        cls,
        error: BaseException,
        attempt: int,
        first_failed_at: float | None = None,
        traceback: str | None = None,
        ready_at: float | None = None,
        started_at: float | None = None,
    ) -> Failure:
        """Return what is known of ``error``, which ended ``attempt`` now."""
        now = time()
        if traceback is None:
            traceback = "".join(tracebacks.format_exception(error))
        return cls(
            *_named(error),
            # What was raised is at the end.
            _scrub(traceback[-TRACEBACK_MOST:]),
            attempt,
            now if first_failed_at is None else first_failed_at,
            now,
            ready_at,
            started_at,
        )

    def last_attempt(self) -> Attempt | None:
        """Return the attempt that the job died of; None if it died waiting, or with its process."""
        if self.started_at is None:
            return None
        seconds, error = self.failed_at - self.started_at, in_short(self.error, self.message)
        return Attempt(self.attempt, self.ready_at, self.started_at, seconds, "dead", error)

    def pack(self) -> bytes:
        """Return the value for Redis."""
        return json.dumps(self._asdict()).encode()

    @classmethod
    def unpack(cls, value: bytes) -> Failure:
        """Read what :meth:`pack` made."""
        return cls(**json.loads(value))


def brief(error: BaseException) -> str:
    """Return an error in short, as attempts have it."""
    return in_short(*_named(error))


def _named(error: BaseException) -> tuple[str, str]:
    """Return class and message, as they are kept."""
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"{module}{kind.__qualname__}", _scrub(_text(error)[:MESSAGE_MOST])


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - it is shown
        return f"<no message: {type(broken).__name__}>"


def _scrub(text: str) -> str:
    """Replace what cannot be written as UTF-8: half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode()
