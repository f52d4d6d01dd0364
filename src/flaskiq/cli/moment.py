"""Times on the command line: ``--in 5m``, ``--at 2030-01-31T09:00``."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import click

UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}

_PART = r"(\d+(?:\.\d+)?)([dhms])"

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


class Span(click.ParamType):  # type: ignore[type-arg] # generic in newer stubs only
    """``90`` (seconds), ``5m``, ``1h30m``, ``2d``."""

    name = "span"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Read a span of time."""
        if isinstance(value, timedelta):
            return value
        text = str(value).strip()
        text += "s" if text[-1:].isdecimal() else ""
        if not re.fullmatch(f"({_PART})+", text):
            self.fail(f"{value!r} is no span of time; write 90, 5m, 1h30m or 2d.", param, ctx)
        try:
            parts = [timedelta(**{UNITS[unit]: float(n)}) for n, unit in re.findall(_PART, text)]
            return sum(parts, timedelta())
        except OverflowError:
            self.fail(f"{value!r} is too long.", param, ctx)


class Instant(click.ParamType):  # type: ignore[type-arg] # as above
    """ISO 8601; without a zone it is local time."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read a point in time."""
        if isinstance(value, datetime):
            return value
        try:
            # Python 3.10 does not know the Z.
            return datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", str(value).strip()))
        except ValueError:
            self.fail(
                f"{value!r} is no time; write 2030-01-31T09:00, with +01:00 or Z at the end if "
                "local time is not meant.",
                param,
                ctx,
            )


def when(function: FunctionT) -> FunctionT:
    """Add ``--in`` and ``--at``, as the parameters ``delay`` and ``at``."""
    later = click.option(
        "--in", "delay", type=Span(), metavar="SPAN", help="From now: 90 (seconds), 5m, 1h30m, 2d."
    )
    at = click.option(
        "--at", type=Instant(), metavar="TIME", help="ISO 8601, such as 2030-01-31T09:00."
    )
    return later(at(function))


def one_of(delay: timedelta | None, at: datetime | None) -> datetime | None:
    """Return the point in time that ``--in`` or ``--at`` means, None if neither was given.

    Raises:
        click.UsageError: both were given.
    """
    if delay is not None and at is not None:
        raise click.UsageError("Give --in or --at, not both.")
    if delay is None:
        return at
    try:
        return datetime.now().astimezone() + delay
    except OverflowError:
        raise click.UsageError("--in is too long.") from None


def needed(delay: timedelta | None, at: datetime | None) -> datetime:
    """Return the point in time that ``--in`` or ``--at`` means.

    Raises:
        click.UsageError: neither was given, or both.
    """
    due = one_of(delay, at)
    if due is None:
        raise click.UsageError("Say when: --in 5m or --at 2030-01-31T09:00.")
    return due
