"""Step: lets a worker tell of itself on ``METRICS_PORT``. Whatever goes wrong, it goes on."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from celery import Celery, bootsteps
from celery.signals import worker_shutdown

from flaskiq.current import state_of

if TYPE_CHECKING:
    from flaskiq.metrics.server import MetricsServer

logger = logging.getLogger(__name__)

_servers: WeakSet[MetricsServer] = WeakSet()


class Metrics(bootsteps.StartStopStep):
    """Worker step: answers Prometheus from after the pool has forked to the end of the worker."""

    requires = ("celery.worker.components:Pool",)

    def start(self, worker: Any) -> None:
        """Listen."""
        state = state_of(worker.app)
        assert state is not None
        port = state.settings["METRICS_PORT"]
        if find_spec("prometheus_client") is None:
            logger.warning(
                "METRICS_PORT is set, but there are no metrics: pip install 'flaskiq[metrics]'"
            )
            return
        try:
            self._server = serve(worker, state.settings["METRICS_ADDRESS"], port)
        except OSError as error:
            logger.warning("This worker has no metrics on port %s: %s", port, error)
        else:
            logger.info("Metrics at %s", self._server.url)

    def stop(self, worker: Any) -> None:
        """Go on: the last jobs end after this."""


def serve(worker: Any, address: str, port: int) -> MetricsServer:
    """Answer from a thread from now on.

    Raises:
        OSError: the port is taken.
    """
    from prometheus_client import CollectorRegistry, ProcessCollector

    from flaskiq.metrics.server import MetricsServer
    from flaskiq.metrics.worker import WorkerCollector

    registry = CollectorRegistry()
    registry.register(WorkerCollector(worker))
    ProcessCollector(registry=registry)
    server = MetricsServer(address, port, registry)
    server.start()
    _servers.add(server)
    return server


@worker_shutdown.connect(weak=False)
def _end(**_: Any) -> None:
    for server in list(_servers):
        _servers.discard(server)
        server.close()


def install(celery: Celery) -> None:
    """Let the workers of an app tell of themselves."""
    celery.steps["worker"].add(Metrics)
