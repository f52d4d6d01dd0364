"""What is known of a chord: its parts, where the missing ones are, and what that means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple


class Verdict(str, Enum):
    """How a chord is doing. The middle three cannot end by themselves."""

    RUNNING = "running"
    WAITING = "waiting"
    """For a queue that nobody consumes, or for a redelivery."""
    LOST = "lost"
    """A part is nowhere, or its end was not counted."""
    COUNTER_EXPIRED = "counter expired"
    """Celery has forgotten how many parts there are, so it never calls the body."""
    CLAIM_STUCK = "claim stuck"
    """All parts have ended, and who was to call the body has not done so."""
    FAILED = "failed"
    DONE = "done"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return str(self.value)


STUCK = frozenset({Verdict.LOST, Verdict.COUNTER_EXPIRED, Verdict.CLAIM_STUCK})
OVER = frozenset({Verdict.DONE, Verdict.FAILED, Verdict.UNKNOWN})


class Where(str, Enum):
    """Where the job is that is a missing part, or that leads to it."""

    READY = "ready"
    SCHEDULED = "scheduled"
    RETRY = "retry"
    IN_FLIGHT = "in flight"
    UNACKED = "unacked"
    """A stock worker has fetched it, and none says that it has it still."""
    STOCK = "at a stock worker"
    DEAD = "dead"
    HELD = "held back"
    CHORD = "in a chord"
    NOWHERE = "nowhere"

    def __str__(self) -> str:
        return str(self.value)


class Place(NamedTuple):
    """Where a job is; ``detail`` is its list, process, node or chord; ``at`` when it is due.

    ``raw`` is its message, None where nobody has it.
    """

    where: Where
    detail: str = ""
    queue: str | None = None
    at: float | None = None
    raw: bytes | None = None
    tag: str | None = None

    def __str__(self) -> str:
        parts = [str(self.where), self.detail]
        if self.queue and self.queue != self.detail:
            parts.append(f"(queue {self.queue})")
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part. ``state`` is Celery's word for one that was counted, ``PENDING`` for a missing one.

    ``job_id`` is the job that leads to it, which for a chain is not the part itself.
    """

    id: str
    state: str
    name: str | None = None
    job_id: str | None = None
    error: str | None = None
    place: Place | None = None

    @property
    def is_missing(self) -> bool:
        """Whether it was not counted."""
        return self.place is not None

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain data, for JSON."""
        place = self.place
        return {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "error": self.error,
            "job_id": self.job_id,
            "where": None if place is None else str(place.where),
            "detail": None if place is None else place.detail,
            "queue": None if place is None else place.queue,
            "at": None if place is None else place.at,
        }


@dataclass(frozen=True, kw_only=True)
class ChordRecord:
    """One chord as it was found; times in seconds since the epoch, None if it was not registered.

    ``expected`` is how many parts it has, None if nobody knows. ``reason`` says in words what it
    waits for, or why it cannot end.
    """

    id: str
    verdict: Verdict
    reason: str
    body_id: str | None
    body: str | None
    expected: int | None
    parts: Sequence[Part]
    unknown: int = 0
    created_at: float | None = None
    changed_at: float | None = None
    tenant: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    is_registered: bool = True

    @property
    def done(self) -> int:
        """Parts that succeeded."""
        return sum(part.state == "SUCCESS" for part in self.parts)

    @property
    def failed(self) -> int:
        """Parts that failed or were revoked."""
        return sum(part.state in ("FAILURE", "REVOKED") for part in self.parts)

    @property
    def missing(self) -> list[Part]:
        """Parts that were not counted, as far as they are known; ``unknown`` counts the others."""
        return [part for part in self.parts if part.is_missing]

    @property
    def is_stuck(self) -> bool:
        """Whether it cannot end by itself."""
        return self.verdict in STUCK

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens."""
        return self.verdict in OVER

    def age(self, now: float) -> float | None:
        """Seconds since it was published, None if nobody knows."""
        return None if self.created_at is None else now - self.created_at

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain data, for JSON."""
        return {
            "id": self.id,
            "verdict": str(self.verdict),
            "reason": self.reason,
            "stuck": self.is_stuck,
            "body": self.body,
            "body_id": self.body_id,
            "expected": self.expected,
            "done": self.done,
            "failed": self.failed,
            "missing": len(self.missing) + self.unknown,
            "created_at": self.created_at,
            "changed_at": self.changed_at,
            "tenant": dict(self.tenant),
            "limit": self.limit,
            "registered": self.is_registered,
            "parts": [part.as_dict() for part in self.parts],
        }
