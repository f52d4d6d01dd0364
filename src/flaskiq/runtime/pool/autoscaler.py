"""NodeAutoscaler: how many children a node needs, by what runs and how long jobs wait."""

from __future__ import annotations

import logging
from math import ceil
from typing import Any

from celery.worker.autoscale import Autoscaler
from redis import RedisError

from flaskiq.message import ENQUEUED_AT_HEADER, read_envelope

logger = logging.getLogger(__name__)

_Autoscaler: Any = Autoscaler

WAIT = 0.5
"""Seconds that a ready job may wait before the node grows."""


class NodeAutoscaler(_Autoscaler):
    """Celery's autoscaler, which shrinks only some time after it has grown.

    Celery counts the jobs that its worker holds; here the children hold them.
    """

    @property
    def processes(self) -> int:
        """How many children there are to be."""
        return int(self.pool.limit)

    @property
    def qty(self) -> int:
        """How many children are needed: a half more than there are, where jobs wait."""
        needed: int = ceil(self.pool.busy / self.pool.threads)
        if needed < self.processes:
            return needed
        try:
            is_late = self._latency() > WAIT
        except (RedisError, OSError) as error:
            logger.warning("The number of processes stays as it is: %s", error)
            is_late = False
        return self.processes + (ceil(self.processes / 2) if is_late else 0)

    def _latency(self) -> float:
        """How long the job waits that is next, in seconds; 0 if there is none."""
        store, queues = self.pool.open_store(), self.pool.queues
        fronts = [raw for each in store.ready.oldest(queues).values() for raw in each]
        now = store.now()
        return max((now - _ready_since(raw) for raw in fronts), default=0)


def _ready_since(raw: bytes) -> float:
    """When a job became ready; long ago for one whose sender does not say it."""
    try:
        return float(read_envelope(raw)["headers"].get(ENQUEUED_AT_HEADER) or 0)
    except ValueError:
        return 0
