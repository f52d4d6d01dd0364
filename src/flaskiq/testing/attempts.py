"""Attempts: what the jobs of a real() block have come to; its worker runs in this program."""

from __future__ import annotations

from typing import Any

from celery.signals import (
    task_failure,
    task_postrun,
    task_retry,
    task_success,
    task_unknown,
)

from flaskiq import current
from flaskiq.endings import Snooze
from flaskiq.runtime.ending import ending_of
from flaskiq.runtime.refused import unregistered


class Attempts:
    """How many there were, and what was raised in jobs that have not succeeded since."""

    def __init__(self) -> None:
        self.number = 0
        self.errors: dict[str, BaseException] = {}
        self._taken = 0

    def take(self) -> tuple[int, BaseException | None]:
        """Return the number since the last call, and the first error; forget both."""
        number, errors = self.number - self._taken, self.errors
        self._taken, self.errors = number + self._taken, {}
        return number, next(iter(errors.values()), None)


def _here() -> Attempts | None:
    """Those of the mode of this context, in which its worker is, too."""
    return getattr(current.elsewhere.get(), "attempts", None)


@task_success.connect(weak=False)
def _has_succeeded(sender: Any, **_: Any) -> None:
    if (attempts := _here()) is not None:
        attempts.errors.pop(sender.request.id, None)


@task_retry.connect(weak=False)
def _is_retried(request: Any, reason: Any, **_: Any) -> None:
    if (attempts := _here()) is not None and not isinstance(reason.exc, Snooze):
        attempts.errors[request.id] = reason.exc


@task_failure.connect(weak=False)
def _has_failed(sender: Any, task_id: str, exception: BaseException, **_: Any) -> None:
    if (attempts := _here()) is not None and ending_of(sender, exception) == "dead":
        attempts.errors[task_id] = exception


@task_unknown.connect(weak=False)
def _is_unknown(name: str, id: str, **_: Any) -> None:  # noqa: A002 - Celery's name
    if (attempts := _here()) is not None:
        attempts.number += 1
        attempts.errors[id] = unregistered(name)


@task_postrun.connect(weak=False)
def _has_run(**_: Any) -> None:
    if (attempts := _here()) is not None:
        attempts.number += 1
