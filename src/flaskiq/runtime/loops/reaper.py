"""Reaper: gives the jobs of dead processes to others."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

from flaskiq.broker.owed import Owed
from flaskiq.runtime.death import Verdict, move_on, verdict
from flaskiq.runtime.loops.loop import Loop
from flaskiq.store.flight import Flight
from flaskiq.store.place import Placed
from flaskiq.store.store import Store

logger = logging.getLogger(__name__)

OnMoved = Callable[[Verdict, str], Any]
"""Is told what was decided of a job, and its queue."""

OnDead = Callable[[Verdict], Any]
"""Tells the result and the chord of a job that it is dead; again, if Redis is out of reach."""


class Reaper(Loop):
    """Runs in every worker; whoever comes first declares a silent process dead and settles it.

    After the server restarted, or was out of reach, nobody is declared dead for one TTL: until then
    every heartbeat may be missing for that reason alone.
    """

    name = "reaper"

    def __init__(
        self, open_store: Callable[[], Store], ttl: float, on_moved: OnMoved, on_dead: OnDead
    ) -> None:
        super().__init__(open_store)
        self._ttl = ttl
        self._on_moved, self._on_dead = on_moved, on_dead
        self._owed = Owed()
        self._run_id: bytes | None = None
        self._trust_silence_from = 0.0

    def turn(self, store: Store) -> float:
        """Look at all processes once."""
        self._owed.make_up()
        survey = store.processes.survey()
        if survey.run_id != self._run_id:
            self._run_id = survey.run_id
            self._distrust_silence()
        if monotonic() >= self._trust_silence_from:
            for process in survey.silent:
                if store.processes.declare_dead(process):
                    logger.warning("Process %s has no heartbeat; its jobs go to others", process)
                    survey.lost.append(process)
        for process in survey.lost:
            self._settle(store, process)
        return self._ttl * 2 / 3

    def on_outage(self) -> None:
        """Distrust the silence of others, who could not reach Redis either."""
        self._distrust_silence()

    def _distrust_silence(self) -> None:
        self._trust_silence_from = monotonic() + self._ttl

    def _settle(self, store: Store, process: str) -> None:
        inflight = store.processes.inflight(process)
        # The last taken goes back first, so that the first taken is in front again.
        for seq in sorted(inflight, reverse=True):
            self._settle_job(store, process, seq, inflight[seq])

    def _settle_job(self, store: Store, process: str, seq: int, value: bytes) -> None:
        placed = Placed.unpack(value)
        decision = verdict(placed.message)
        if move_on(store, Flight(process, seq), value, decision):
            self._on_moved(decision, placed.queue)
            if decision.is_final:
                self._owed.do(partial(self._on_dead, decision), decision.what_is_told)
