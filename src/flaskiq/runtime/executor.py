"""One attempt of a job, top to bottom."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from flask import Flask

from flaskiq import arguments
from flaskiq.current import CurrentJob, enter, leave
from flaskiq.job import Job
from flaskiq.worker import Worker


class Surroundings:
    """What a job finds around itself: its app's context, and itself as the current job."""

    __slots__ = ("_context", "_job", "_token")

    def __init__(self, app: Flask, job: CurrentJob) -> None:
        self._context = app.app_context()
        self._job = job

    def __enter__(self) -> None:
        self._context.push()
        self._token = enter(self._job)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        leave(self._token)
        self._context.__exit__(kind, error, traceback)


def perform(worker: type[Worker], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call ``perform``; an ``async def`` runs to its end in an event loop of its own."""
    value = worker.perform(*args, **kwargs)
    if inspect.iscoroutine(value):
        return asyncio.run(value)
    return value


def perform_inline(app: Flask, worker: type[Worker], job: Job) -> Any:
    """Run a job in the caller's process, as a worker would; its errors are the caller's.

    Progress has no reader here, so it is checked and dropped.
    """
    args, kwargs = arguments.round_trip(job.args, job.kwargs)
    here = CurrentJob(
        id=job.id,
        worker=job.worker,
        queue=None,
        attempt=1,
        headers=job.headers,
        report=lambda _: None,
        ask_cancelled=lambda: False,
    )
    with Surroundings(app, here):
        return perform(worker, args, kwargs)
