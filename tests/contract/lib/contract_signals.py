"""Writes down each signal of Celery that comes in a worker: one line for each, in its list."""

from __future__ import annotations

import json
import os
from typing import Any

from celery import signals
from contract_app import redis_client

JOB_SIGNALS = (
    "task_received",
    "task_prerun",
    "task_postrun",
    "task_success",
    "task_failure",
    "task_retry",
    "task_revoked",
    "task_rejected",
    "task_unknown",
)
WORKER_SIGNALS = (
    "celeryd_after_setup",
    "worker_init",
    "worker_ready",
    "worker_process_init",
    "worker_process_shutdown",
    "worker_shutdown",
)


def connect(name: str, is_of_a_job: bool) -> None:
    """Write down what a signal says."""

    def write(sender: Any = None, **said: Any) -> None:
        key = f"signals:{job_of(sender, said)}" if is_of_a_job else f"signals:{name}"
        line = {
            "signal": name,
            "pid": os.getpid(),
            "sender": name_of(sender),
            "attempt": attempt_of(sender, said) if is_of_a_job else None,
            **{word: plain(value) for word, value in said.items() if word != "signal"},
        }
        with redis_client() as client:
            client.rpush(key, json.dumps(line))

    getattr(signals, name).connect(write, weak=False)


def job_of(sender: Any, said: dict[str, Any]) -> str:
    """Return the id of the job that a signal is about; that of task_success has only the task."""
    if "request" in said:
        return str(said["request"].id)
    if "message" in said:
        return str((said["message"].headers or {}).get("id"))
    return str(said.get("task_id") or sender.request.id)


def attempt_of(sender: Any, said: dict[str, Any]) -> int | None:
    """Return which attempt of its job a signal is about, from 1 on; None if there is no job."""
    if "message" in said:
        return None
    request = said.get("request", getattr(sender, "request", None))
    facts = getattr(request, "request_dict", None) or vars(request)
    return int(facts.get("retries") or 0) + 1


def name_of(sender: Any) -> str:
    """Return the name of a task, the host of a consumer or a worker, or else the words."""
    return str(getattr(sender, "name", None) or getattr(sender, "hostname", None) or sender)


def plain(value: Any) -> Any:
    """Return what JSON can carry: of an error its repr, of others their class."""
    try:
        json.dumps(value)
    except TypeError:
        return repr(value) if isinstance(value, Exception) else type(value).__name__
    return value


for each in JOB_SIGNALS:
    connect(each, is_of_a_job=True)
for each in WORKER_SIGNALS:
    connect(each, is_of_a_job=False)
