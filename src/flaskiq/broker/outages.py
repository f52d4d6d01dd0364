"""Outages: what one looks like, and how often this process had one, as its metrics tell."""

from __future__ import annotations

import threading

from kombu.exceptions import OperationalError
from redis import RedisError

OUT_OF_REACH = (RedisError, OSError, OperationalError)
"""What is raised where Redis cannot be reached: by a store, a socket, or what Celery publishes."""


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
