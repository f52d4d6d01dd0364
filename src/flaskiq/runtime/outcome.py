"""How an attempt that raised ends. Values: decided in one place, acted on in another."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Retry:
    """The job waits ``delay`` seconds for another attempt."""

    error: Exception
    delay: float


@dataclass(frozen=True)
class Snoozed:
    """The job waits ``delay`` seconds for the same attempt."""

    error: Exception
    delay: float


@dataclass(frozen=True)
class Dead:
    """The job gives up; ``error`` is what its result, the log and a chord's callback get."""

    error: Exception


@dataclass(frozen=True)
class Discarded:
    """The job ends quietly; ``error`` is what its result gets."""

    error: Exception


Outcome = Retry | Snoozed | Dead | Discarded
