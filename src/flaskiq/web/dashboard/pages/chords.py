"""Chords: groups with a callback, where their missing parts are, and what can be done."""

from __future__ import annotations

from flask import abort

from flaskiq import chords, current
from flaskiq.chords import Verdict
from flaskiq.errors import ChordBusyError, ResultsDisabledError
from flaskiq.store.reading import Reading, together
from flaskiq.web.dashboard import listing
from flaskiq.web.dashboard.acts import Done, asked
from flaskiq.web.dashboard.page import Content, Page

SHOWN = 50
"""Chords on a page, and parts of one."""


def _read() -> Reading[Content]:
    """The verdicts are those of the watcher: to look at every job is too much for a page."""
    known, skipped = current.state().store.chords, listing.skipped()
    found, watch = yield from together(known.last.reading(SHOWN, skipped), known.reported.reading())
    after = skipped + SHOWN if len(found) == SHOWN else None
    return {"chords": found, "watch": watch, "after": after}


def _read_one(chord_id: str) -> Reading[Content]:
    """Looks at the jobs itself, so its verdict is of now; many trips."""
    yield []
    try:
        found = chords.chord(chord_id)
    except ResultsDisabledError as error:
        abort(404, str(error))
    if found.verdict is Verdict.UNKNOWN:
        abort(404, f"No chord {chord_id} is known.")
    return {"chord": found, "parts_of": found.parts[:SHOWN]}


def _act(chord_id: str) -> Done:
    act = asked("recover", "revoke")
    try:
        steps = chords.recover(chord_id) if act == "recover" else chords.revoke(chord_id)
    except ChordBusyError as error:
        abort(409, str(error))
    return Done(act, f"chord {chord_id}", len(steps))


PAGES = (
    Page(name="chords", path="/chords", read=_read),
    Page(name="chord", path="/chords/<chord_id>", read=_read_one, act=_act),
)
