"""The one process of a test: what runs in it is in flight."""

from __future__ import annotations

from flaskiq.store.processes import Processes
from flaskiq.store.reading import Reading, readable
from flaskiq.testing.memory.nobody import InPart, nobody
from flaskiq.testing.memory.shelf import Shelf

NODE = "flaskiq.testing"
"""The name of the node, and of its process."""


class MemoryProcesses(InPart, Processes):
    """See :class:`flaskiq.store.processes.Processes`: who has jobs in flight."""

    def __init__(self, shelf: Shelf) -> None:
        self._client = nobody
        self._shelf = shelf

    @readable
    def live(self) -> Reading[set[str]]:
        """This one, while it has a job."""
        yield []
        return {NODE} if self._shelf.running else set()

    @readable
    def lost(self) -> Reading[set[str]]:
        """None has died."""
        yield []
        return set()

    @readable
    def facts(self) -> Reading[dict[str, dict[str, str]]]:
        """Nothing that a worker would tell."""
        yield []
        return {}

    @readable
    def in_flight(self) -> Reading[int]:
        """How many jobs are in flight."""
        yield []
        return len(self._shelf.running)
