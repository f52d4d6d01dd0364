"""Gives every Celery task of an app, Worker or plain, its app context and current job.

Celery's ``task_prerun`` and ``task_postrun`` run in the thread of the job, around all of its hooks
(``on_success``, ``on_failure``, ``after_return``), whatever base class the task has; a
``Task.__call__`` would miss the hooks and every task with a base of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from time import monotonic, time
from typing import TYPE_CHECKING, Any

from celery.signals import task_postrun, task_prerun

from flaskiq.attempt import STARTED
from flaskiq.current import CurrentJob, State, state_of, tenant_of
from flaskiq.runtime.executor import Surroundings
from flaskiq.runtime.jobs import shown

if TYPE_CHECKING:
    from celery import Task

    from flaskiq.tenant import Tenant

AS_OF = 1.0
"""Seconds for which a job believes that it was not cancelled."""

PROGRESS = "PROGRESS"
"""The state of a job that has called ``current_job.progress``."""


_SURROUNDINGS = "flaskiq_surroundings"
"""Where the request of the running task keeps what :func:`_leave` has to undo."""


@task_prerun.connect(weak=False)
def _enter(task_id: str, task: Task[..., Any], **_: Any) -> None:
    state, request = state_of(task.app), task.request
    if state is None or STARTED in vars(request):  # whoever runs it has done this already
        return
    queue, headers = (request.delivery_info or {}).get("routing_key"), request.headers or {}
    tenant = _tenant_of_eager(state, request) if request.is_eager else None
    around = surround(state, task, task_id, headers, queue, request.retries + 1, tenant)
    around.__enter__()
    vars(request).update({_SURROUNDINGS: around, STARTED: time()})


@task_postrun.connect(weak=False)
def _leave(task: Task[..., Any], **_: Any) -> None:
    around: Surroundings | None = vars(task.request).pop(_SURROUNDINGS, None)
    if around is not None:
        around.__exit__(None, None, None)


def surround(
    state: State,
    task: Task[..., Any],
    job_id: str,
    headers: Mapping[str, Any],
    queue: str | None,
    attempt: int,
    tenant: Tenant | None = None,
) -> Surroundings:
    """Return the surroundings of a job.

    ``headers`` are those of its message that are not Celery's own; they name the tenant, unless it
    is given.
    """
    job = CurrentJob(
        id=job_id,
        worker=str(task.name),
        queue=queue,
        attempt=attempt,
        headers=shown(headers),
        report=partial(_report, task),
        ask_cancelled=Cancellation(task, job_id),
    )
    named = state.tenancy.of_headers(headers) if tenant is None else tenant
    return Surroundings(state.app, job, named)


def _tenant_of_eager(state: State, request: Any) -> Tenant:
    """On whose behalf an eager job runs: it has no message, so maybe for whoever calls it."""
    tenancy, headers = state.tenancy, request.headers or {}
    tenant = tenancy.of_headers(headers) if tenancy.is_named(headers) else tenant_of(state)
    vars(request).update(tenant)  # as the headers of a message are
    return tenant


class Cancellation:
    """Knows whether a job was cancelled, as of at most a second ago."""

    def __init__(self, task: Task[..., Any], job_id: str) -> None:
        self._celery, self._job_id = task.app, job_id
        self._known, self._asked_at = False, -AS_OF

    def __call__(self) -> bool:
        state = state_of(self._celery)
        if state is not None and not self._known and monotonic() - self._asked_at >= AS_OF:
            self._asked_at = monotonic()
            self._known = state.store.is_cancelled(self._job_id)
        return self._known


def _report(task: Task[..., Any], progress: dict[str, Any]) -> None:
    if not (task.ignore_result or task.request.is_eager):
        task.update_state(state=PROGRESS, meta=progress)
