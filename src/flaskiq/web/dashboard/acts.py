"""Acts: what a form or a program asks for, and what is said when it is done."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import abort, redirect, request
from werkzeug.wrappers import Response

from flaskiq.api import Stretch
from flaskiq.number import jobs as counted
from flaskiq.web.dashboard.guard import require

BUDGET = 1.0
"""Seconds after which an act on many jobs stops, and says how far it has come."""

AT_ONCE = 1_000
"""Jobs that are looked at before the time is."""

SAID = {
    "retry": "Enqueued {} again.",
    "run": "Enqueued {}.",
    "delete": "Deleted {}.",
    "kill": "Moved {} into the dead set.",
    "cancel": "Cancelled {}.",
    "pause": "Paused.",
    "unpause": "It goes on.",
    "quiet": "It takes no more jobs.",
    "stop": "It ends when its jobs have.",
    "silent": "It has not answered.",
    "recover": "Did {} to repair it.",
    "revoke": "Revoked {}.",
}
_THINGS = {"recover": "act", "revoke": "part"}


class Rest(NamedTuple):
    """Where an act on many jobs goes on: ``left`` of the jobs that there were are to look at."""

    place: str
    left: int
    of: int


class Done(NamedTuple):
    """What was done, to what, and with how many; None where it is no number of things."""

    act: str
    what: str
    number: int | None = None
    rest: Rest | None = None


def field(name: str) -> str:
    """Return what was sent under a name, empty for nothing."""
    return next(iter(fields(name)), "")


def fields(name: str) -> list[str]:
    """Return all that was sent under a name."""
    if not request.is_json:
        return request.form.getlist(name)
    sent: Any = request.get_json()
    if not isinstance(sent, dict):
        abort(400, 'Send an object, such as {"act": "retry", "id": ["..."]}.')
    value = sent.get(name, [])
    return [str(each) for each in (value if isinstance(value, list) else [value])]


def asked(*known: str) -> str:
    """Return the act that was asked for, if it is known and allowed."""
    act = field("act")
    if act not in known:
        abort(400, f"There is no act {act!r} here, but {', '.join(known)}.")
    require("pause" if act == "unpause" else act)
    return act


def selected() -> list[str] | None:
    """Return the jobs that were ticked; None for all that the filter means."""
    if field("all") in ("1", "True"):
        return None
    ids = fields("id")
    if not ids:
        abort(400, "No job was ticked.")
    return ids


def go_through(act: str, what: str, some: Callable[[str | None, int], Stretch], total: int) -> Done:
    """Act on jobs, one stretch after the other, for a second; what is left is to be asked for.

    ``some`` is given a place in the list, and how many jobs to look at.
    """
    until = monotonic() + BUDGET
    place = field("place") or None
    left, done = (_number(name, start) for name, start in (("left", total), ("done", 0)))
    of = _number("of", total)
    while left > 0:
        stretch = some(place, min(AT_ONCE, left))
        done, left, place = done + stretch.done, left - stretch.looked_at, stretch.after
        if place is None:
            break
        if monotonic() > until and left > 0:
            return Done(act, what, done, Rest(place, left, of))
    return Done(act, what, done)


def _number(name: str, default: int) -> int:
    sent = field(name)
    return int(sent) if sent.isdecimal() else default


def back(done: Done) -> Response:
    """Show the page again, which says what was done, and goes on if there is more."""
    said = [("did", done.act if done.number is None else f"{done.act}:{done.number}")]
    if done.rest is not None:
        said += [(name, str(value)) for name, value in done.rest._asdict().items()]
    own = {"did", *Rest._fields}
    kept = [(name, value) for name, value in request.args.items(multi=True) if name not in own]
    return redirect(f"{request.path}?{urlencode([*kept, *said])}", 303)


class Said(NamedTuple):
    """What was done, in words, and the fields that go on with it."""

    text: str
    going_on: dict[str, str] | None = None
    looked_at: int = 0
    of: int = 0


def said() -> Said | None:
    """Return what was done before this page was shown again."""
    act, _, count = request.args.get("did", "").partition(":")
    text = SAID.get(act)
    if text is None or (count and not count.isdecimal()):
        return None
    number, thing = int(count or 0), _THINGS.get(act)
    many = counted(number) if thing is None else f"{number:,} {thing}{'' if number == 1 else 's'}"
    text = text.format(many)
    left, of = (request.args.get(name, 0, type=int) for name in ("left", "of"))
    if not left:
        return Said(text)
    rest = {name: request.args.get(name, "") for name in Rest._fields}
    return Said(text, {"act": act, "all": "1", "done": count, **rest}, of - left, of)
