"""ChordWatch: in every worker, a loop that tells of stuck chords, and recovers them if it may.

It stands outside of the package, which reads by much that most workers never need: what it takes to
look at a chord is imported when there is one that is old enough.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from celery import Celery

from flaskiq import current
from flaskiq.errors import ChordBusyError, ResultsDisabledError
from flaskiq.runtime.loops.loop import Loop
from flaskiq.store.store import Store

if TYPE_CHECKING:
    from flaskiq.chords.record import ChordRecord

logger = logging.getLogger(__name__)

AT_ONCE = 1_000
"""Chords that are looked at in one turn, the oldest first."""


class ChordWatch(Loop):
    """Looks at the chords once in ``seconds``, in one of all workers.

    ``recovers`` is whether it may repair. A younger chord than ``seconds`` is left alone: nearly
    all end before anybody need look.
    """

    name = "chord watch"

    def __init__(
        self,
        open_store: Callable[[], Store],
        state: current.State,
        seconds: float,
        *,
        recovers: bool,
    ) -> None:
        super().__init__(open_store)
        self._state, self._seconds, self._recovers = state, seconds, recovers

    def turn(self, store: Store) -> float:
        """Look, if it is this worker's turn."""
        if store.chords.take_turn(self._seconds * 0.9):
            self._look(store)
        return self._seconds

    def _look(self, store: Store) -> None:
        now, unfinished = time.time(), store.chords.unfinished()
        old = store.chords.unfinished(before=now - self._seconds)[:AT_ONCE]
        found = self._find(old) if old else []
        for each in found:
            if not each.is_over:
                store.chords.judge(each.id, str(each.verdict), each.reason)
        stuck = [each for each in found if each.is_stuck]
        ages = [each.age(now) or 0.0 for each in found if not each.is_over]
        over = sum(each.is_over for each in found)
        store.chords.report(
            {
                "active": len(unfinished) - over,
                "stuck": len(stuck),
                "oldest_seconds": round(max(ages, default=0.0), 3),
                "looked_at": now,
            }
        )
        for each in stuck:
            self._act(store, each)

    def _find(self, chord_ids: list[str]) -> list[ChordRecord]:
        from flaskiq.chords.monitor import find

        with self._state.app.app_context(), suppress(ResultsDisabledError):
            return [each.record for each in find(chord_ids)]
        return []

    def _act(self, store: Store, chord: ChordRecord) -> None:
        if store.chords.tell(chord.id):
            logger.error(
                "Chord %s (%s) is stuck: %s, %s; flaskiq chords recover %s",
                chord.id,
                chord.body,
                chord.verdict,
                chord.reason,
                chord.id,
            )
        if self._recovers:
            from flaskiq.chords.repair import recover

            try:
                with self._state.app.app_context():
                    recover(chord.id)
            except ChordBusyError as error:
                logger.info("%s", error)


def watch_of(celery: Celery, open_store: Callable[[], Store]) -> ChordWatch:
    """Return the watch of an app, not started yet."""
    state = current.state_of(celery)
    assert state is not None
    return ChordWatch(
        open_store,
        state,
        state.settings["FLASKIQ_CHORD_WATCH"],
        recovers=state.settings["FLASKIQ_CHORD_RECOVER"],
    )
