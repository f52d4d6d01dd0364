"""Facts: what a worker tells of itself with each heartbeat."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, time
from typing import Any

import psutil
from celery import Celery
from celery.worker import state

from flaskiq.broker.process import Process
from flaskiq.current import state_of
from flaskiq.runtime.pools import OURS
from flaskiq.store.flight import FLIGHT_HEADER, Flight
from flaskiq.store.processes import Facts
from flaskiq.store.statistics import Running


def facts_of(
    celery: Celery,
    process: Process,
    *,
    node: str,
    pool: str,
    concurrency: int,
    queues: Callable[[], list[str]],
) -> Callable[[], Facts]:
    """Return a function that describes a process as it is when it is called."""
    usage, app = Usage(is_new=pool == OURS), state_of(celery)
    fixed: Facts = {
        "app": app.app.import_name if app else "",
        "node": node,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "pool": pool,
        "concurrency": concurrency,
        "started_at": round(time(), 3),
    }

    def facts() -> Facts:
        return {
            **fixed,
            **usage.measure(),
            "queues": json.dumps([] if process.is_quiet else queues()),
            "quiet": int(process.is_quiet),
            "beat_at": round(time(), 3),
        }

    return facts


def running() -> dict[str, Running]:
    """The jobs that run in this worker and its children, by id."""
    requests: list[Any] = _snapshot(state.active_requests)
    return {
        request.id: Running(
            request.name,
            request.delivery_info["routing_key"],
            (request.request_dict.get("retries") or 0) + 1,
            round(request.time_start, 3),
            Flight.parse(request.message.headers[FLIGHT_HEADER]).seq,
        )
        for request in requests
        if request.time_start and FLIGHT_HEADER in request.message.headers
    }


def _snapshot(requests: Any) -> list[Any]:
    """Copy a set that other threads change."""
    while True:
        with suppress(RuntimeError):  # it changed size meanwhile
            return list(requests)


_STOPPED = (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)


def is_stopped(pid: int) -> bool:
    """Whether a process is frozen, as by SIGSTOP."""
    return _status(pid) in _STOPPED


def is_awake(pid: int) -> bool:
    """Whether a process is there, and neither frozen nor over."""
    return _status(pid) not in (None, psutil.STATUS_ZOMBIE, *_STOPPED)


def _status(pid: int) -> str | None:
    with suppress(psutil.Error):
        return str(psutil.Process(pid).status())
    return None


class Usage:
    """Memory and processor time of this process and its children; one that ``is_new`` has none."""

    def __init__(self, *, is_new: bool = False) -> None:
        self._own, self._is_new = psutil.Process(), is_new
        self._used, self._at = _seconds(self._own), monotonic()

    def measure(self) -> Facts:
        """Return ``rss`` in bytes, and ``cpu`` in percent of one processor since the last call."""
        # Once: it looks at all processes of the machine.
        children = [] if self._is_new else self._own.children(recursive=True)
        found, self._is_new = [self._own, *children], False
        used, at = sum(map(_seconds, found)), monotonic()
        cpu = 100 * (used - self._used) / max(at - self._at, 0.001)
        self._used, self._at = used, at
        rss = sum(_of(each, lambda each: each.memory_info().rss) for each in found)
        return {"rss": int(rss), "cpu": round(max(0.0, cpu), 1)}


def _seconds(process: psutil.Process) -> float:
    return _of(process, lambda each: sum(each.cpu_times()[:2]))


def _of(process: psutil.Process, value: Callable[[psutil.Process], float]) -> float:
    try:
        return value(process)
    except psutil.Error:  # it has just ended
        return 0.0
