"""The report: one row for each contestant and workload, the medians of all rounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from benchmarks.contestant import DRAIN_IO, LATENCY, MEMORY, PRODUCING, WORKLOADS, Contestant
from benchmarks.sample import Sample

MEASURES: Mapping[str, str] = {LATENCY: "p50_ms", MEMORY: "pss_mb"}
"""What a workload is compared by, where that is not the rate."""


@dataclass
class Row:
    """Medians over ``runs`` rounds; ``ratio`` is to the ``baseline``'s row.

    ``lost`` and ``repeated`` are sums: one lost job is too many.
    """

    contestant: str
    workload: str
    processes: int
    rate: float | None
    p50_ms: float | None
    p95_ms: float | None
    pss_mb: float | None
    cpu_us: float | None
    commands_per_job: float | None
    bytes_per_job: float | None
    runs: int
    redis_us: float | None
    least: float | None
    most: float | None
    commands: dict[str, float]
    lost: int
    repeated: int
    baseline: str | None = None
    ratio: float | None = None

    @property
    def value(self) -> float | None:
        """What it is compared by."""
        found: float | None = getattr(self, MEASURES.get(self.workload, "rate"))
        return found

    def to_json(self) -> dict[str, Any]:
        """The row as a JSON object."""
        return {name: _rounded(value) for name, value in asdict(self).items()}


def rows(samples: Sequence[Sample], contestants: Sequence[Contestant]) -> list[Row]:
    """Return the rows, workload by workload, the contestants in their order."""
    found = {}
    for workload in WORKLOADS:
        for contestant in contestants:
            same = [
                sample
                for sample in samples
                if (sample.contestant, sample.workload) == (contestant.name, workload)
            ]
            if same:
                found[contestant.name, workload] = _summarize(same)
    slots = {contestant.name: contestant.slots for contestant in contestants}
    for contestant in contestants:
        for workload in WORKLOADS:
            _compare(found, contestant, workload, slots)
    return list(found.values())


def _summarize(same: Sequence[Sample]) -> Row:
    last = same[-1]
    measure = MEASURES.get(last.workload, "rate")
    values = [value for sample in same if (value := getattr(sample, measure)) is not None]
    return Row(
        last.contestant,
        last.workload,
        last.processes,
        _median(sample.rate for sample in same),
        _median(sample.p50_ms for sample in same),
        _median(sample.p95_ms for sample in same),
        _median(sample.pss_mb for sample in same),
        _median(sample.cpu_us for sample in same),
        _median(sample.commands_per_job for sample in same),
        _median(sample.bytes_per_job for sample in same),
        len(same),
        _median(sample.redis_us for sample in same),
        min(values, default=None),
        max(values, default=None),
        last.commands,
        sum(sample.lost for sample in same),
        sum(sample.repeated for sample in same),
    )


def _compare(
    found: Mapping[tuple[str, str], Row],
    contestant: Contestant,
    workload: str,
    slots: Mapping[str, int],
) -> None:
    row = found.get((contestant.name, workload))
    base = _baseline(found, contestant, workload)
    if base and workload == DRAIN_IO and slots[base.contestant] != contestant.slots:
        return  # the ceiling is another one
    if row and base and row is not base and row.value and base.value:
        row.baseline, row.ratio = base.contestant, row.value / base.value


def _baseline(
    found: Mapping[tuple[str, str], Row], contestant: Contestant, workload: str
) -> Row | None:
    if contestant.baseline is None:
        return None
    if workload in PRODUCING:  # the pool of the worker makes no difference
        return next(
            (
                row
                for (name, shown), row in found.items()
                if shown == workload
                and name.startswith("celery/")
                and name.partition("+")[2] == contestant.variant
            ),
            None,
        )
    return found.get((contestant.baseline, workload))


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return round(value, 3) if isinstance(value, float) else value
