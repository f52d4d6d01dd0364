"""Health: the questions that a health check asks about chords."""

from __future__ import annotations

import time
from typing import Any

from flaskiq import current
from flaskiq.chords.monitor import chords
from flaskiq.chords.record import ChordRecord
from flaskiq.store.store import Store

HOUR = 3600


def get_active_chord_unlocks() -> list[ChordRecord]:
    """Return the chords that are not over.

    On Redis Celery counts chords and has no ``chord_unlock`` tasks, after which this is named.
    """
    return chords()


def check_stuck_chords(max_runtime_hours: float = 1) -> list[ChordRecord]:
    """Return the chords that cannot end by themselves, and those that take longer than that."""
    now = time.time()
    return [
        each
        for each in chords()
        if each.is_stuck or (each.age(now) or 0) > max_runtime_hours * HOUR
    ]


def worker_health_check() -> dict[str, Any]:
    """Return ``status``, ``healthy`` or ``unhealthy``, and two counts.

    ``active_chord_unlocks`` are the chords that are not over, ``stuck_chords`` those of them that
    :func:`check_stuck_chords` finds.
    """
    now, active = time.time(), chords()
    stuck = [each for each in active if each.is_stuck or (each.age(now) or 0) > HOUR]
    return {
        "status": "unhealthy" if stuck else "healthy",
        "active_chord_unlocks": len(active),
        "stuck_chords": len(stuck),
    }


def watched() -> dict[str, float]:
    """Return what a worker has seen last: ``active``, ``stuck``, ``oldest_seconds``, ``looked_at``.

    Empty if none has looked. It costs one command, and is up to ``FLASKIQ_CHORD_WATCH`` old.
    """
    store: Store = current.state().store
    return store.chords.reported()
