"""Owed: what is to be done in Redis, and could not be while that was out of reach."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar

from flaskiq.broker.outages import OUT_OF_REACH, outages

logger = logging.getLogger(__name__)

is_owed: ContextVar[bool] = ContextVar("flaskiq.is_owed", default=False)
"""Whether what is done here is done again after an outage: a result backend tries once then."""


class Owed:
    """Acts that wait for Redis, in their order. False if there are none."""

    def __init__(self) -> None:
        self._acts: deque[Callable[[], object]] = deque()

    def __len__(self) -> int:
        return len(self._acts)

    def do(self, act: Callable[[], object], what: str) -> None:
        """Do something now or, if Redis is out of reach, when it is made up for.

        Then from its beginning, until no outage interrupts it. ``what`` it does is for the log.
        """
        try:
            _once(act)
        except OUT_OF_REACH as error:
            outages.note()
            logger.warning("What waits for Redis: %s; %s", what, error)
            self._acts.append(act)

    def make_up(self) -> None:
        """Do what waits, in the thread that calls; the rest next time, if Redis is still away."""
        while self._acts:
            try:
                _once(self._acts[0])
            except OUT_OF_REACH:
                return
            except Exception:
                logger.exception("What waited for Redis has failed")
            self._acts.popleft()


def _once(act: Callable[[], object]) -> None:
    token = is_owed.set(True)
    try:
        act()
    finally:
        is_owed.reset(token)
