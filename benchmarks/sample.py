"""Sample: what one measurement of one workload found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sample:
    """Numbers per job, in the units of their names; None for what the workload does not show.

    ``rate`` is jobs per second; for ``idle`` it is commands per second and started worker, and
    ``cpu_us`` the CPU time of an idle second.
    """

    contestant: str
    workload: str
    processes: int = 1
    rate: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    pss_mb: float | None = None
    cpu_us: float | None = None
    redis_us: float | None = None
    bytes_per_job: float | None = None
    commands: dict[str, float] = field(default_factory=dict)
    lost: int = 0
    repeated: int = 0

    @property
    def commands_per_job(self) -> float | None:
        """All commands that the server ran, those inside scripts included."""
        return sum(self.commands.values()) if self.commands else None


def per_job(after: Counter[str], before: Counter[str], jobs: int) -> dict[str, float]:
    """Commands for each job, the most frequent first."""
    return {name: count / jobs for name, count in (after - before).most_common()}
