"""Pulse: whether a loop still turns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic


class Pulse:
    """The loop writes it, other threads read it."""

    def __init__(self) -> None:
        self.has_begun = False
        self.is_waiting = False
        self._at = self._due = monotonic()

    def beat(self, next_in: float = 0.0) -> None:
        """Say that the loop turns, and in how many seconds it does so again."""
        self._note(next_in)
        self.has_begun = True

    def _note(self, next_in: float = 0.0) -> None:
        self._at = monotonic()
        self._due = self._at + next_in

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Within the block the loop may stand still."""
        self.is_waiting = True
        try:
            yield
        finally:
            self._note()
            self.is_waiting = False

    @property
    def age(self) -> float:
        """Seconds since the last beat, or since the beginning."""
        return monotonic() - self._at

    @property
    def silence(self) -> float:
        """Seconds since a beat was due; 0 while the loop may stand still."""
        return 0.0 if self.is_waiting else max(0.0, monotonic() - self._due)
