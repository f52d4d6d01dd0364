"""Chords: watch Celery's group + callback, and repair those that hang.

::

    from flaskiq.chords import check_stuck_chords, parallel, recover

    for chord in check_stuck_chords(max_runtime_hours=1):
        print(chord.id, chord.verdict, chord.reason)
        recover(chord.id, dry_run=True)

Everything is about the current app (``flaskiq.current``); see ``docs/chords.md``.
"""

from flaskiq.chords.health import (
    check_stuck_chords,
    get_active_chord_unlocks,
    watched,
    worker_health_check,
)
from flaskiq.chords.monitor import chord, chords
from flaskiq.chords.parallel import parallel
from flaskiq.chords.record import ChordRecord, Part, Place, Verdict, Where
from flaskiq.chords.repair import clean, recover, revoke
from flaskiq.chords.results import ChordResults, chord_results

__all__ = [
    "ChordRecord",
    "ChordResults",
    "Part",
    "Place",
    "Verdict",
    "Where",
    "check_stuck_chords",
    "chord",
    "chord_results",
    "chords",
    "clean",
    "get_active_chord_unlocks",
    "parallel",
    "recover",
    "revoke",
    "watched",
    "worker_health_check",
]
