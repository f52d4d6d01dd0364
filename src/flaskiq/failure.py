"""What is known of a failed attempt, for those who look at the retry set and the dead set. Pure."""

from __future__ import annotations

import json
import traceback as tracebacks
from time import time
from typing import NamedTuple

MESSAGE_MOST = 2_000
TRACEBACK_MOST = 6_000
"""Characters that are kept: a hundred thousand jobs may fail of the same cause."""


class Failure(NamedTuple):
    """The last failure of a job; times in seconds since the epoch.

    ``error`` is the name of the class, with its module unless it is a builtin.
    """

    error: str
    message: str
    traceback: str
    attempt: int
    first_failed_at: float
    failed_at: float

    @classmethod
    def of(
        cls,
        error: BaseException,
        attempt: int,
        first_failed_at: float | None = None,
        traceback: str | None = None,
    ) -> Failure:
        """Return what is known of ``error``, which ended ``attempt`` now."""
        now, kind = time(), type(error)
        if traceback is None:
            traceback = "".join(tracebacks.format_exception(error))
        return cls(
            kind.__qualname__
            if kind.__module__ == "builtins"
            else f"{kind.__module__}.{kind.__qualname__}",
            _scrub(_text(error)[:MESSAGE_MOST]),
            # What was raised is at the end.
            _scrub(traceback[-TRACEBACK_MOST:]),
            attempt,
            now if first_failed_at is None else first_failed_at,
            now,
        )

    def pack(self) -> bytes:
        """Return the value for Redis."""
        return json.dumps(self._asdict()).encode()

    @classmethod
    def unpack(cls, value: bytes) -> Failure:
        """Read what :meth:`pack` made."""
        return cls(**json.loads(value))


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - it is shown
        return f"<no message: {type(broken).__name__}>"


def _scrub(text: str) -> str:
    """Replace what cannot be written as UTF-8: half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode()
