"""WorkerCollector: the metrics of one worker, from its own memory. It asks Redis nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from celery.worker import state
from prometheus_client.registry import Collector

from flaskiq.broker.outages import outages
from flaskiq.broker.process import processes
from flaskiq.metrics import metric
from flaskiq.metrics.metric import Family
from flaskiq.runtime import pools
from flaskiq.tally import Ends


class WorkerCollector(Collector):
    """Tells of a worker of Celery's, whatever its pool.

    The children of our own pool tell their node about once a second what they have counted. All
    others count in this process, also what the children of prefork ran.
    """

    def __init__(self, worker: Any) -> None:
        self._pool = worker.pool

    def collect(self) -> Iterator[Family]:
        """Yield the metrics."""
        pool = self._pool
        if pools.fetches(pool):
            yield from _common(pool.ends, pool.busy, pool.outages)
            yield metric.WORKER_CHILDREN.of_one(len(pool.children))
            yield metric.WORKER_GONE.of({(how,): number for how, number in pool.gone.items()})
        else:
            yield from _common(_ends(), len(state.active_requests), outages.number)
        yield metric.WORKER_CONCURRENCY.of_one(pool.num_processes or 1)


def _common(ends: Counter[Ends], busy: int, unreached: int) -> Iterator[Family]:
    yield metric.WORKER_JOBS.of({tuple(kind): number for kind, number in ends.items()})
    yield metric.WORKER_BUSY.of_one(busy)
    yield metric.OUTAGES.of_one(unreached)


def _ends() -> Counter[Ends]:
    """What this process has counted."""
    found: Counter[Ends] = Counter()
    for process in processes():
        if process.serves_a_worker:
            found += process.tally.counted
    return found
