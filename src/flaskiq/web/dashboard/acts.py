"""Acts: what a form asks for, done, and said after the redirect."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import abort, redirect, request
from werkzeug.wrappers import Response

from flaskiq.web.dashboard.guard import note, require

DONE = {
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
    "recover": "{} acts of repair.",
    "revoke": "{} parts revoked.",
}


def asked(*known: str) -> str:
    """Return the act that the form asks for, if it is known and allowed."""
    act = request.form.get("act", "")
    if act not in known:
        abort(400, f"There is no act {act!r} here.")
    require("pause" if act == "unpause" else act)
    return act


def back(act: str, count: int | None, what: str) -> Response:
    """Write down what was done, and show the page again, which says it."""
    note(act, what if count is None else f"{what} ({count})")
    kept = [(name, value) for name, value in request.args.items(multi=True) if name != "did"]
    did = act if count is None else f"{act}:{count}"
    return redirect(f"{request.path}?{urlencode([*kept, ('did', did)])}", 303)


def said(did: str) -> str | None:
    """Return in words what was done."""
    act, _, count = did.partition(":")
    text = DONE.get(act)
    if text is None or (count and not count.isdecimal()):
        return None
    number = int(count or 0)
    thing = "job" if number == 1 else "jobs"
    return text.format(number if act in ("recover", "revoke") else f"{number:,} {thing}")
