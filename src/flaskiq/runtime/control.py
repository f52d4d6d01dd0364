"""Remote control commands that speak of jobs which wait in Redis.

They replace Celery's own of the same names in its one registry, and leave every other app's worker
in the process as it is.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import datetime, timezone
from itertools import chain, islice
from typing import Any

from celery.utils.functional import maybe_list
from celery.worker.control import Panel, control_command, inspect_command

from flaskiq.broker.control import cancel
from flaskiq.message import read
from flaskiq.runtime import pools
from flaskiq.runtime.stop import quiet
from flaskiq.store.job_set import Entry
from flaskiq.store.store import Store

MOST_SHOWN = 1000
"""Jobs that ``inspect scheduled`` shows."""

_stock_scheduled = Panel.data["scheduled"]
_stock_revoke = Panel.data["revoke"]


@inspect_command(alias="dump_schedule")
def scheduled(state: Any, **kwargs: Any) -> list[dict[str, Any]]:
    """List of currently scheduled ETA/countdown tasks."""
    found: list[dict[str, Any]] = _stock_scheduled(state, **kwargs)
    channel = _channel(state)
    if channel is not None and _speaks_for_all(state, channel):
        found += _waiting(channel.store)
    return found


@control_command(variadic="task_id", signature="[id1 [id2 [... [idN]]]]")
def revoke(
    state: Any, task_id: Any, terminate: bool = False, signal: Any = None, **kwargs: Any
) -> Any:
    """Revoke task by task id (or list of ids)."""
    channel = _channel(state)
    if channel is not None:
        for each in set(maybe_list(task_id) or ()):
            cancel(state.app, channel.store, each)
    return _stock_revoke(state, task_id, terminate=terminate, signal=signal, **kwargs)


@control_command(args=[("process", str)], signature="<identity>")
def quiet_process(state: Any, process: str, **_: Any) -> dict[str, str]:
    """Tell one process to fetch no more jobs, as the signal TSTP does."""
    pool = state.consumer.pool
    if pools.fetches(pool):
        if not pool.quiet(process):
            return {}
    elif _is(state, process):
        quiet(state.consumer)
    else:
        return {}
    return {"ok": f"{process} fetches no more jobs"}


@control_command(args=[("process", str)], signature="<identity>")
def stop_process(state: Any, process: str, **_: Any) -> dict[str, str]:
    """Tell one process to end as the signal TERM does."""
    pool = state.consumer.pool
    if pools.fetches(pool):
        is_here = pool.replace(process)
    elif is_here := _is(state, process):
        os.kill(os.getpid(), signal.SIGTERM)
    if is_here:
        return {"ok": f"{process} ends when its jobs have"}
    return {}


def _is(state: Any, process: str) -> bool:
    channel = _channel(state)
    return channel is not None and channel.process.id == process


def _channel(state: Any) -> Any:
    """Return the channel that fetches for the worker, if it is one of ours."""
    channel = getattr(state.consumer.task_consumer, "channel", None)
    return channel if isinstance(getattr(channel, "store", None), Store) else None


def _speaks_for_all(state: Any, channel: Any) -> bool:
    """Whether this worker is the one that tells what all workers share: each would repeat it."""
    pool = state.consumer.pool
    own = pool.identities if pools.fetches(pool) else {channel.process.id}
    return min(channel.store.processes.live(), default=None) in own


def _waiting(store: Store) -> Iterator[dict[str, Any]]:
    entries = islice(chain(store.scheduled, store.retry), MOST_SHOWN)
    return (_describe(entry) for entry in entries)


def _describe(entry: Entry) -> dict[str, Any]:
    """Describe a job as Celery does (``_iter_schedule_requests`` in celery/worker/control.py)."""
    job = read(entry.placed.message)
    return {
        "eta": datetime.fromtimestamp(entry.at, timezone.utc).isoformat(),
        "priority": 6,
        "request": {
            "id": entry.id,
            "name": job.headers.get("task"),
            "args": job.args,
            "kwargs": job.kwargs,
            "type": job.headers.get("task"),
            "hostname": None,
            "time_start": None,
            "acknowledged": False,
            "delivery_info": job.properties.get("delivery_info"),
            "worker_pid": None,
        },
    }
