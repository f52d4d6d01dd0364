"""Spin: waits for a reply awake, for a moment."""

from __future__ import annotations

import os
import select
from functools import cache
from time import perf_counter
from typing import Any

from celery.utils.sysinfo import cpu_budget  # type: ignore[attr-defined] # new in 5.7, not in the stubs

MOST = 0.0004
"""Seconds; a server on the same machine mostly answers a fetch in less."""

PAUSE = 4
"""Replies that are waited for asleep, after one that did not come so soon."""

LONGEST = 64
"""As many at most: after each further one in a row that did not, it is twice as many."""

_yield = getattr(os, "sched_yield", lambda: None)  # not on macOS


@cache
def processors() -> int:
    """How many this process may use; the system is asked once."""
    return int(cpu_budget().count)


class Spin:
    """Looks again and again whether there is something to read.

    Falling asleep and being woken takes a process about as long as Redis takes for the fetch of one
    job; where each job is fetched by itself, that decides how many a process can run. Of a server
    that is further away, nearly every reply is waited for asleep, and with one processor all are.
    """

    def __init__(self) -> None:
        self._poll: Any = None
        self._socket: Any = None
        self._pause = 0 if processors() > 1 else None
        self._next_pause = PAUSE

    def wait(self, socket: Any) -> None:
        """Return as soon as there is something to read, or a moment later."""
        if self._pause is None:
            return
        if self._pause:
            self._pause -= 1
            return
        if socket is not self._socket:
            self._poll, self._socket = select.poll(), socket
            self._poll.register(socket, select.POLLIN)
        look = self._poll.poll
        end = perf_counter() + MOST
        while perf_counter() < end:
            if look(0):
                self._next_pause = PAUSE
                return
            _yield()  # to the server, if it waits for this processor
        self._pause = self._next_pause
        self._next_pause = min(2 * self._pause, LONGEST)
