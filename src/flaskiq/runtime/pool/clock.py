"""NodeClock: the logical clock of a node, which its children share."""

from __future__ import annotations

from typing import Any

from kombu import clocks

_LamportClock: Any = clocks.LamportClock


class NodeClock(_LamportClock):
    """Orders the events of all processes of a node, as Celery's own clock does those of one.

    Two processes that move it at the same instant may get the same time: of events that do not
    follow from each other the order means nothing.
    """

    def __init__(self, memory: memoryview, at_least: int = 0) -> None:
        self._time = memory.cast("Q")
        self._time[0] = max(self._time[0], at_least)

    @property
    def value(self) -> int:
        """The time of the last event."""
        return int(self._time[0])

    def adjust(self, other: int) -> int:
        """Move behind the time of another node."""
        self._time[0] = time = max(self.value, other) + 1
        return time

    def forward(self) -> int:
        """Return the time of a new event."""
        self._time[0] = time = self.value + 1
        return time
