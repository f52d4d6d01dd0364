"""Gives every Celery task of an app, Worker or plain, its app context and current job.

Celery's ``task_prerun`` and ``task_postrun`` run in the thread of the job, around all of its hooks
(``on_success``, ``on_failure``, ``after_return``), whatever base class the task has; a
``Task.__call__`` would miss the hooks and every task with a base of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import time
from typing import TYPE_CHECKING, Any

from celery.signals import task_postrun, task_prerun

from flaskiq.attempt import STARTED
from flaskiq.current import CurrentJob, State, state_of, tenant_of
from flaskiq.runtime.executor import Surroundings
from flaskiq.runtime.jobs import shown

if TYPE_CHECKING:
    from celery import Task

    from flaskiq.tenant import Tenant

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
    name, attempt = str(task.name), request.retries + 1
    job = CurrentJob(task_id, name, queue, attempt, TaskHost(task), headers)
    if tenant is None:
        tenant = state.tenancy.of_headers(headers)
    around = Surroundings(state.app, job, tenant)
    around.__enter__()
    vars(request).update({_SURROUNDINGS: around, STARTED: time()})


@task_postrun.connect(weak=False)
def _leave(task: Task[..., Any], **_: Any) -> None:
    around: Surroundings | None = vars(task.request).pop(_SURROUNDINGS, None)
    if around is not None:
        around.__exit__(None, None, None)


def _tenant_of_eager(state: State, request: Any) -> Tenant:
    """On whose behalf an eager job runs: it has no message, so maybe for whoever calls it."""
    tenancy, headers = state.tenancy, request.headers or {}
    tenant = tenancy.of_headers(headers) if tenancy.is_named(headers) else tenant_of(state)
    vars(request).update(tenant)  # as the headers of a message are
    return tenant


class TaskHost:
    """A task, as its jobs see it."""

    __slots__ = ("_task",)

    def __init__(self, task: Task[..., Any]) -> None:
        self._task = task

    def shown(self, headers: Mapping[str, Any]) -> Mapping[str, Any]:
        """Those that concern an application; few jobs look at them."""
        return shown(headers)

    def report(self, progress: dict[str, Any]) -> None:
        """Keep it as the result of the job that this thread runs, until that has another."""
        task = self._task
        if not (task.ignore_result or task.request.is_eager):
            task.update_state(state=PROGRESS, meta=progress)

    def is_cancelled(self, job_id: str) -> bool:
        """Ask Redis."""
        state = state_of(self._task.app)
        return state is not None and state.store.is_cancelled(job_id)
