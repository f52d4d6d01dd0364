"""Redaction: what is secret in a job is neither shown nor found."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from flaskiq import current
from flaskiq.api import Filter, JobRecord
from flaskiq.failure import Failure
from flaskiq.settings.kinds import resolve

logger = logging.getLogger(__name__)

HIDDEN = "•••"

_SECRET = re.compile(
    r"pass(word|wd|phrase)?|secret|token|api.?key|credential|authorization", re.IGNORECASE
)

Hook = Callable[[str, Any, JobRecord], Any]
"""Returns what may be shown in place of a value. It is told what it is, ``args``, ``kwargs``,
``result``, ``error`` or ``traceback``, the value, and of which job."""


def redacted(value: Any) -> Any:
    """Return a value without what is named like a secret, at any depth."""
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if _SECRET.search(str(key)) else redacted(each)
            for key, each in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [redacted(each) for each in value]
    return value


class ShownJob:
    """A job as it may be shown; what it does not say itself is as in its record."""

    def __init__(self, job: JobRecord) -> None:
        self._job = job
        self._hook = _hook()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._job, name)

    @cached_property
    def args(self) -> Any:
        """The positional arguments; None if nobody can read them."""
        return self.show("args", redacted(self._job.args))

    @cached_property
    def kwargs(self) -> Any:
        """The keyword arguments."""
        return self.show("kwargs", redacted(self._job.kwargs))

    @cached_property
    def failure(self) -> Failure | None:
        """The last failure."""
        found = self._job.failure
        return found and found._replace(
            message=self.show("error", found.message),
            traceback=self.show("traceback", found.traceback),
        )

    @cached_property
    def attempts(self) -> list[Any]:
        """The attempts that have ended."""
        return [
            each._replace(error=self.show("error", each.error)) if each.error else each
            for each in self._job.attempts
        ]

    def show(self, what: str, value: Any) -> Any:
        """Return what may be shown of a value; where the hook fails it is nothing."""
        if self._hook is None or value is None:
            return value
        try:
            return self._hook(what, value, self._job)
        except Exception:
            logger.exception("FLASKIQ_DASHBOARD_REDACT has failed; %s is hidden", what)
            return HIDDEN

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain data, for JSON."""
        own = {name: getattr(self, name) for name in ("args", "kwargs", "failure", "attempts")}
        return {**self._job.as_dict(), **own}


@dataclass(frozen=True, kw_only=True)
class ShownFilter(Filter):
    """A filter that finds what is shown, so that nobody can guess at what is not."""

    def matches(self, job: JobRecord) -> bool:
        """Whether a job is meant."""
        return super().matches(cast("JobRecord", ShownJob(job)))


def _hook() -> Hook | None:
    given = current.state().settings["FLASKIQ_DASHBOARD_REDACT"]
    return None if given is None else cast("Hook", resolve("FLASKIQ_DASHBOARD_REDACT", given))
