"""Points in time and spans of time, as callers may write them. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from flaskiq.errors import ArgumentError

Delay = float | timedelta


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(timezone.utc)


def instant(value: datetime, name: str = "run_at") -> datetime:
    """Return ``value`` in UTC.

    A naive datetime means local time of the calling process, as everywhere in Python
    (:meth:`datetime.datetime.astimezone`), never silently UTC.

    Raises:
        ArgumentError: ``value`` is not a datetime.
    """
    if not isinstance(value, datetime):
        raise ArgumentError(
            f"{name} must be a datetime, not {value!r}; "
            "for a number of seconds from now use perform_in or set(delay=...)"
        )
    return value.astimezone(timezone.utc)


def span(value: Delay, name: str = "delay") -> timedelta:
    """Return ``value``, a number of seconds or a timedelta, as a timedelta.

    Raises:
        ArgumentError: ``value`` is neither, or is not finite.
    """
    if isinstance(value, timedelta):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return timedelta(seconds=value)
        except (OverflowError, ValueError) as error:
            raise ArgumentError(f"{name} is out of range: {value!r} seconds") from error
    hint = "; for a point in time use perform_at" if isinstance(value, datetime) else ""
    raise ArgumentError(f"{name} must be a number of seconds or a timedelta, not {value!r}{hint}")
