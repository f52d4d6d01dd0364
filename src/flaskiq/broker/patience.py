"""Patience: what must not be left undone waits for Redis as long as it takes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from flaskiq.broker.outages import OUT_OF_REACH, outages

logger = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds between two tries."""

T = TypeVar("T")


def insist(do: Callable[[], T], what: str) -> T:
    """Do something, and return what it returns; ``what`` says in the log what waits meanwhile."""
    while True:
        try:
            return do()
        except OUT_OF_REACH as error:  # noqa: PERF203
            outages.note()
            logger.warning("%s when Redis is back: %s", what, error)
            time.sleep(PAUSE)
