"""How long a job may run, against how long a worker that is stopped waits for it."""

from __future__ import annotations

from collections.abc import Iterator

from flaskiq.doctor.finding import Finding, info, ok, warning
from flaskiq.doctor.patient import Patient

SHOWN = 5
"""Tasks that are named."""

UNLIMITED = ("threads", "solo", "gevent", "eventlet")
"""Pools that cannot stop a job."""


def examine(patient: Patient) -> Iterator[Finding]:
    """Look at the hard limit of each task, and at the pool that is to hold them."""
    timeout = patient.settings["FLASKIQ_SHUTDOWN_TIMEOUT"]
    limits = {name: task.time_limit for name, task in patient.tasks.items()}
    endless = [name for name, limit in limits.items() if not limit]
    longer = {name: limit for name, limit in limits.items() if limit and limit > timeout}
    if endless:
        yield warning(
            f"no hard time limit: {_some(endless)}",
            "A job that hangs keeps its place in the worker for ever. A stop of the worker cuts it "
            f"after FLASKIQ_SHUTDOWN_TIMEOUT ({timeout:g} s), and it hangs again elsewhere.",
            "CELERY_TASK_TIME_LIMIT=1800, or time_limit on the Worker.",
        )
    if longer:
        yield info(
            f"jobs may run for up to {max(longer.values()):g} s, and a worker that is stopped "
            f"waits {timeout:g} s for them: {_some(list(longer))}",
            "What has not finished by then is cut, goes to the front of its queue and starts again "
            "in another worker.",
            "Let such jobs bear a second run; or raise FLASKIQ_SHUTDOWN_TIMEOUT, and with it the "
            "time that your platform gives (terminationGracePeriodSeconds, TimeoutStopSec); or "
            "lower their time_limit.",
        )
    pool = patient.celery.conf.worker_pool
    if pool in UNLIMITED and any(limits.values()):
        yield warning(
            f"worker_pool is {pool}, which does not enforce time limits",
            "A job that hangs is never stopped, whatever its time_limit says.",
            "worker_pool = 'prefork' in the CELERY dict.",
        )
    if not endless and not longer:
        yield ok(f"every job ends within the {timeout:g} s that a worker that is stopped waits")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
