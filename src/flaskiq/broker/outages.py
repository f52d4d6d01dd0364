"""Outages: how often this process could not reach Redis, as its metrics tell."""

from __future__ import annotations

import threading


class Outages:
    """A count of what failed: fetches, heartbeats, turns of a loop."""

    def __init__(self) -> None:
        self.number = 0
        self._lock = threading.Lock()

    def note(self) -> None:
        """Count one; safe in any thread."""
        with self._lock:
            self.number += 1


outages = Outages()
"""Those of this process; of its children each counts its own."""
