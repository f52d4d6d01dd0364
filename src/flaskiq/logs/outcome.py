"""Outcome: what became of an attempt, as the one line about it says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from flaskiq.tally import Ending

Told = Ending | Literal["requeued"]
"""How an attempt can end; one that was cut off goes back to its queue."""


class Outcome(NamedTuple):
    """How an attempt ended; ``duration`` in seconds, ``attempt`` from 1 on.

    What is None is not known, such as the worker of a message that nobody can read. Unless
    ``is_named``, the words of the line do not say which job it is about.
    """

    job_id: str
    worker: str | None
    queue: str | None
    attempt: int | None
    outcome: Told
    duration: float | None = None
    tenant: Mapping[str, str] | None = None
    error: str | None = None
    is_named: bool = True

    def __str__(self) -> str:
        """Return what stands behind the words of a line, beginning with a space."""
        named = "" if self.is_named else f" worker={self.worker} job_id={self.job_id}"
        queue = "" if self.queue is None else f" queue={self.queue}"
        attempt = "" if self.attempt is None else f" attempt={self.attempt}"
        duration = "" if self.duration is None else f" duration={self.duration:.6f}"
        return f"{named} outcome={self.outcome}{queue}{attempt}{duration}"

    def fields(self) -> dict[str, Any]:
        """Return what is known, in plain data, for JSON."""
        known = {
            "job_id": self.job_id,
            "worker": self.worker,
            "queue": self.queue,
            "attempt": self.attempt,
            "tenant": dict(self.tenant or {}) or None,
            "outcome": self.outcome,
            "duration": None if self.duration is None else round(self.duration, 6),
            "error": self.error,
        }
        return {name: value for name, value in known.items() if value is not None}


def in_brackets(tenant: Mapping[str, str] | None) -> str:
    """Return how a line ends that is about a tenant: `` [organization_id=acme]``."""
    if not tenant:
        return ""
    return f" [{', '.join(f'{field}={value}' for field, value in tenant.items())}]"
