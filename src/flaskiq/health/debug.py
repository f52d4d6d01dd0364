"""Debug: what helps to find a fault, and holds no secret."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version
from typing import Any

import psutil
from celery import Celery

from flaskiq.current import State
from flaskiq.health.bounded import Bounded
from flaskiq.health.broker import Broker
from flaskiq.health.environment import shown
from flaskiq.health.program import Program
from flaskiq.health.trouble import TroubleError
from flaskiq.settings.urls import mask_url
from flaskiq.store.store import Store

PATIENCE = 3.0
"""Seconds that a look may take here."""

OPTIONS = (
    "dead_age", "dead_jobs", "global_keyprefix", "heartbeat_ttl", "history_age", "history_jobs",
    "queue_order_strategy", "queue_weights", "shutdown_timeout", "socket_connect_timeout",
    "socket_keepalive", "socket_timeout", "threads",
)  # fmt: skip
"""Transport options that may be shown: others, such as ``sentinel_kwargs``, hold passwords."""

_OF_SERVER = (
    "redis_version", "server_name", "uptime_in_seconds", "connected_clients", "used_memory",
    "maxmemory", "maxmemory_policy", "aof_enabled", "loading", "role",
)  # fmt: skip

PACKAGES = ("celery", "flask", "flaskiq", "kombu", "redis")


class Debug:
    """Answers the ``/debug`` pages of one program."""

    def __init__(self, program: Program, found: State, broker: Broker) -> None:
        self._program, self._found = program, found
        self._celery: Celery = found.celery
        self._server = Bounded(lambda: broker.ask(_server), PATIENCE)
        self._queues = Bounded(lambda: broker.ask(self._lengths), PATIENCE)
        self._results = Bounded(self._ping_results, PATIENCE)

    def everything(self) -> dict[str, Any]:
        """Return all in short: curl one address, and send it to whoever helps."""
        return {
            "environment": self.environment()["environment"],
            "redis_connectivity": self.redis(),
            "celery_status": self.detailed(),
            "system_info": self._system(),
        }

    def environment(self) -> dict[str, Any]:
        """Return the variables that may be shown."""
        return {"environment": shown(os.environ)}

    def redis(self) -> dict[str, Any]:
        """Return where Redis is, passwords masked, and how it is."""
        settings, conf = self._found.settings, self._celery.conf
        options: Mapping[str, Any] = conf.broker_transport_options
        return {
            "broker": {"url": mask_url(settings.broker_url), **_told(self._server)},
            "results": {"url": mask_url(settings.result_backend), **_told(self._results)},
            "transport_options": {name: options[name] for name in OPTIONS if name in options},
            "result_expires": conf.result_expires,
        }

    def detailed(self) -> dict[str, Any]:
        """Return each look, the processes, and how long the queues are."""
        return {
            "service": self._program.service,
            "app": self._program.app,
            "looks": {name: each._asdict() for name, each in self._program.examine().items()},
            "queue_lengths": _told(self._queues),
            **self._program.details(),
        }

    def _lengths(self, store: Store) -> dict[str, int]:
        return store.ready.sizes(self._found.settings.queues)

    @cached_property
    def _backend(self) -> Any:
        return self._celery.backend

    def _ping_results(self) -> dict[str, Any]:
        client = getattr(self._backend, "client", None)
        if client is None:
            return {"reachable": None}
        try:
            client.ping()
        except Exception as error:  # noqa: BLE001 - of any kind of backend; its words may be secret
            raise TroubleError(type(error).__name__) from None
        return {"reachable": True}

    @staticmethod
    def _system() -> dict[str, Any]:
        process = psutil.Process()
        return {
            "pid": process.pid,
            "uptime_seconds": round(time.time() - process.create_time()),
            "rss_bytes": process.memory_info().rss,
            "threads": threading.active_count(),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "packages": {name: version(name) for name in PACKAGES},
        }


def _told(look: Bounded[dict[str, Any]]) -> dict[str, Any]:
    try:
        return look()
    except TroubleError as trouble:
        return {"reachable": False, "reason": str(trouble)}


def _server(store: Store) -> dict[str, Any]:
    info = store.client.info()
    return {"reachable": True, **{name: info[name] for name in _OF_SERVER if name in info}}
