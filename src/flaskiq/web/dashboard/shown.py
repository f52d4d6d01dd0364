"""How values are shown in a page."""

from __future__ import annotations

import json
import time
from datetime import datetime, timezone
from typing import Any

from markupsafe import Markup, escape

from flaskiq.number import ago as span
from flaskiq.number import duration, size

MOST = 20_000
"""Characters of arguments and the like that are shown."""

NAME_MOST = 200
"""Characters of a name, an address or the like."""

NOTHING = "-"


def ago(at: float | None) -> Markup:
    """A point in time, as how long it is ago or ahead; its full form shows on hover."""
    if at is None:
        return escape(NOTHING)
    try:
        full = datetime.fromtimestamp(at, timezone.utc).isoformat(" ", "seconds")
    except (TypeError, ValueError, OverflowError, OSError):  # a message says what its sender likes
        return escape(NOTHING)
    seconds = time.time() - at
    text = f"{span(seconds)} ago" if seconds >= 0 else f"in {span(-seconds)}"
    return Markup(f'<time datetime="{full}" title="{full}">{text}</time>')  # noqa: S704 - numbers


def number(value: float | None) -> str:
    """A number with its thousands apart."""
    return NOTHING if value is None else f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def cut(value: Any) -> str:
    """Return a text that fits where a name stands."""
    text = str(value)
    return text if len(text) <= NAME_MOST else f"{text[: NAME_MOST - 1]}…"


def pretty(value: Any) -> str:
    """Return a value as JSON over several lines, and not without end."""
    text = json.dumps(value, default=str, ensure_ascii=False, indent=2)
    return text if len(text) <= MOST else f"{text[:MOST]}\n… {len(text) - MOST:,} characters more"


def short(value: Any, most: int = 100) -> str:
    """Return a value as JSON in one line that fits a cell."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def call(args: Any, kwargs: Any) -> str:
    """Return arguments as they are written in a call."""
    if not isinstance(args, (list, tuple)) or not isinstance(kwargs, dict):
        return "unreadable" if args is None else short([args, kwargs])
    given = [short(value, 60) for value in args]
    given += [f"{name}={short(value, 60)}" for name, value in kwargs.items()]
    text = ", ".join(given)
    return text if len(text) <= 120 else f"{text[:119]}…"


def plain(worker: str | None) -> Markup:
    """The name of a Worker, its last part in front of the eye."""
    if not worker:
        return Markup("<i>unreadable</i>")
    package, _, name = cut(worker).rpartition(".")
    # Markup.format costs ten times as much, and a page has many names.
    shown = f'<span class="quiet">{escape(package)}.</span>' if package else ""
    return Markup(f"{shown}<b>{escape(name)}</b>")  # noqa: S704 - escaped


FILTERS = {
    "ago": ago,
    "span": span,
    "duration": duration,
    "size": size,
    "number": number,
    "cut": cut,
    "pretty": pretty,
    "plain": plain,
    "call": call,
}
"""What the templates may call."""
