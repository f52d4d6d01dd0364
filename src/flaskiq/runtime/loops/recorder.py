"""Recorder: writes what has ended in this process, and what runs here, about once a second."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from flaskiq.broker.process import Process
from flaskiq.runtime.loops.loop import Loop
from flaskiq.store.statistics import Running
from flaskiq.store.store import Store

INTERVAL = 1.0
"""Seconds from one record to the next."""


class Recorder(Loop):
    """A job pays no round trip for being counted; one that is killed loses a second of counts.

    It writes only what has changed, and forgets what it has counted when Redis has confirmed it.
    """

    name = "recorder"

    def __init__(
        self,
        open_store: Callable[[], Store],
        processes: Callable[[], Iterable[Process]],
        running: Callable[[], Mapping[str, Running]],
    ) -> None:
        super().__init__(open_store)
        self._processes = processes
        self._running = running
        self._turning = threading.Lock()
        self._written: dict[str, Mapping[str, Running]] = {}

    def turn(self, store: Store) -> float:  # noqa: ARG002 - that of each process
        """Write what has changed since the last turn."""
        self.flush()
        return INTERVAL

    def flush(self) -> None:
        """Write what has changed, now: at the end of the worker, or for somebody who asks."""
        with self._turning:
            for process in self._processes():
                process.owed.make_up()
                self._record(process.store, process)

    def _record(self, store: Store, process: Process) -> None:
        batch, running = process.tally.batch(), dict(self._running())
        if batch is None and running == self._written.get(process.id, {}):
            return
        store.statistics.record(process.id, batch, running, process.ttl)
        if batch is not None and batch.cron:
            store.cron.note_ends(batch.cron)
        process.tally.confirmed()
        self._written = {process.id: running}
        while process.tally.has_more:
            store.statistics.record(process.id, process.tally.batch(), running, process.ttl)
            process.tally.confirmed()
