"""One attempt of a job, top to bottom."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from flask import Flask

from flaskiq import arguments
from flaskiq.current import CurrentJob, begin, end, tenant
from flaskiq.errors import TenantError
from flaskiq.job import Job
from flaskiq.tenant import Tenancy, Tenant
from flaskiq.worker import Worker


class Surroundings:
    """What a job finds around itself: its app's context, itself as the current job, its tenant."""

    __slots__ = ("_context", "_job", "_tenant", "_tokens")

    def __init__(self, app: Flask, job: CurrentJob, tenant: Tenant) -> None:
        self._context = app.app_context()
        self._job, self._tenant = job, tenant

    def __enter__(self) -> None:
        self._context.push()
        self._tokens = begin(self._job, self._tenant)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        end(self._tokens)
        self._context.__exit__(kind, error, traceback)


def perform(worker: type[Worker], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call ``perform``; an ``async def`` runs to its end in an event loop of its own.

    Raises:
        TenantError: the Worker has ``tenant_required``, and a foreign producer sent none.
    """
    if worker.tenant_required:
        _check_tenant(worker)
    value = worker.perform(*args, **kwargs)
    if inspect.iscoroutine(value):
        return asyncio.run(value)
    return value


def _check_tenant(worker: type[Worker]) -> None:
    acting_for = tenant()
    key = acting_for.fields[0]
    if key not in acting_for:
        raise TenantError.of(worker.__name__, key)


def perform_inline(app: Flask, tenancy: Tenancy, worker: type[Worker], job: Job) -> Any:
    """Run a job in the caller's process, as a worker would; its errors are the caller's."""
    args, kwargs = arguments.round_trip(job.args, job.kwargs)
    here = CurrentJob(job.id, job.worker, None, 1, _Nobody(), job.headers)
    with Surroundings(app, here, tenancy.of_headers(job.headers)):
        return perform(worker, args, kwargs)


class _Nobody:
    """Runs a job in its caller's process, where nobody reads progress or can cancel it."""

    def shown(self, headers: Mapping[str, Any]) -> Mapping[str, Any]:
        return headers

    def report(self, progress: dict[str, Any]) -> None:
        pass

    def is_cancelled(self, _job_id: str) -> bool:
        return False
