"""The handles that ``perform_async`` and ``perform_bulk`` return."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

from celery.backends.base import DisabledBackend
from celery.result import AsyncResult

from flaskiq.errors import ResultsDisabledError


class JobResult(AsyncResult):  # type: ignore[type-arg] # generic in the stubs, not at run time
    """Celery's ``AsyncResult``, except that waiting for a result that nobody keeps raises."""

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

    A handle costs as much as enqueueing its job, and most are never looked at.
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
