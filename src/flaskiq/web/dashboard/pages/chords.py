"""Chords: groups with a callback, where their missing parts are, and what can be done."""

from __future__ import annotations

from flask import Blueprint, abort, render_template
from werkzeug.wrappers import Response

from flaskiq import chords
from flaskiq.chords import Verdict
from flaskiq.errors import ChordBusyError, ResultsDisabledError
from flaskiq.web.dashboard.acts import asked, back

SHOWN = 100


def _show() -> str:
    try:
        found, why = chords.chords(scan=False)[:SHOWN], None
    except ResultsDisabledError as error:
        found, why = [], str(error)
    return render_template("flaskiq/chords.html", chords=found, why=why)


def _show_one(chord_id: str) -> str:
    found = chords.chord(chord_id)
    if found.verdict is Verdict.UNKNOWN:
        abort(404, f"No chord {chord_id} is known.")
    return render_template("flaskiq/chord.html", chord=found, parts_of=found.parts[:SHOWN])


def _act(chord_id: str) -> Response:
    act = asked("recover", "revoke")
    try:
        steps = chords.recover(chord_id) if act == "recover" else chords.revoke(chord_id)
    except ChordBusyError as error:
        abort(409, str(error))
    return back(act, len(steps), f"chord {chord_id}")


def add(pages: Blueprint) -> None:
    """Add the routes."""
    pages.add_url_rule("/chords", "chords", _show)
    pages.add_url_rule("/chords/<chord_id>", "chord", _show_one)
    pages.add_url_rule("/chords/<chord_id>", "chord_act", _act, methods=["POST"])
