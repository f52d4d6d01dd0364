"""What is remembered of jobs that run, and that have ended; nothing is counted."""

from __future__ import annotations

from flaskiq.store.reading import Reading, readable
from flaskiq.store.statistics import Running, Statistics
from flaskiq.tally import Ended
from flaskiq.testing.memory.nobody import InPart, nobody
from flaskiq.testing.memory.shelf import Shelf


class MemoryStatistics(InPart, Statistics):
    """See :class:`flaskiq.store.statistics.Statistics`."""

    def __init__(self, shelf: Shelf) -> None:
        self._client = nobody
        self._shelf = shelf

    @readable
    def running(self, process: str) -> Reading[dict[str, Running]]:  # noqa: ARG002 - the only one
        """The jobs that run, by id."""
        yield []
        return {job_id: flying.running for job_id, flying in self._shelf.running.items()}

    @readable
    def finished(self, job_id: str) -> Reading[Ended | None]:
        """How a job finished."""
        yield []
        return self._shelf.ended.get(job_id)

    def last_finished(self, most: int = 100) -> list[Ended]:
        """The jobs that finished last, the newest first."""
        return list(reversed(self._shelf.ended.values()))[:most]
