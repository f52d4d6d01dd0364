"""The handles that ``perform_async`` and ``perform_bulk`` return."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, overload

from celery.backends.base import DisabledBackend
from celery.result import AsyncResult

from flaskiq.errors import ResultsDisabledError

if TYPE_CHECKING:
    from celery import Task

_making = threading.RLock()
"""Not a plain lock: what is collected meanwhile may look at a handle, too."""


class _Late:
    """An attribute that Celery's ``__init__`` sets, which is called when one of them is read."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, result: Any, owner: type) -> Any:
        if result is None or "_task" not in vars(result):
            return None  # as in Celery's class
        result._make()
        return vars(result)[self._name]


class JobResult(AsyncResult):  # type: ignore[type-arg] # generic in the stubs, not at run time
    """Celery's ``AsyncResult``, except that waiting for a result that nobody keeps raises.

    To make one takes Celery as long as it takes to enqueue a job, and to drop it as long again.
    Most are dropped at once, so :meth:`of` leaves that to the first use.
    """

    app: Any = _Late()
    backend: Any = _Late()
    parent: Any = _Late()
    on_ready: Any = _Late()
    _cache: Any = _Late()
    _ignored: Any = _Late()

    _task: Task[..., Any]

    @classmethod
    def of(cls, task: Task[..., Any], job_id: str) -> JobResult:
        """Return the handle of a job that was enqueued."""
        result = cls.__new__(cls)
        vars(result).update(id=job_id, _task=task)
        return result

    def _make(self) -> None:
        with _making:
            if "on_ready" not in vars(self):
                task, was_set = self._task, vars(self).copy()
                super().__init__(self.id, task.backend, task.name, task.app)
                vars(self).update({"_ignored": task.ignore_result, **was_set})

    def __del__(self) -> None:
        if "backend" in vars(self):  # else it has waited for nothing
            super().__del__()

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """Wait for the job and return its result, or raise its error.

        Raises:
            ResultsDisabledError: the result is not kept, so the wait would never end.
        """
        if isinstance(self.backend, DisabledBackend):
            raise ResultsDisabledError(
                f"job {self.id} keeps no result: the app has no result backend; "
                "set CELERY_RESULT_BACKEND to a Redis URL"
            )
        if self.ignored:
            raise ResultsDisabledError(
                f"job {self.id} keeps no result: set ignore_result = False on its Worker, or "
                "task_ignore_result (CELERY_TASK_IGNORE_RESULT) to False for the whole app"
            )
        return super().get(*args, **kwargs)


class JobResults(Sequence["AsyncResult[Any]"]):
    """The handles of many jobs, in their order; each is made when it is asked for.

    Most are never looked at.
    """

    def __init__(self, ids: Sequence[str], handle: Callable[[str], AsyncResult[Any]]) -> None:
        self.ids = ids
        """The job ids."""
        self._handle = handle

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> AsyncResult[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> JobResults: ...
    def __getitem__(self, index: int | slice) -> AsyncResult[Any] | JobResults:
        if isinstance(index, slice):
            return JobResults(self.ids[index], self._handle)
        return self._handle(self.ids[index])

    def __repr__(self) -> str:
        return f"<{len(self)} jobs>"
