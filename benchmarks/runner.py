"""The runner: every contestant once a round, side by side, so that noise meets all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.bench import Bench
from benchmarks.contestant import PRODUCING, Contestant
from benchmarks.processes import ContestantError
from benchmarks.sample import Sample
from benchmarks.workloads import MEASUREMENTS


@dataclass
class Runner:
    """Measures ``contestants`` on ``workloads`` and tells ``say`` how it goes."""

    bench: Bench
    contestants: Sequence[Contestant]
    workloads: frozenset[str]
    rounds: int
    say: Callable[[str], None]
    samples: list[Sample] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Run all rounds; the order of the contestants is reversed every other round."""
        start = time.monotonic()
        for number in range(self.rounds):
            for measure, shown in MEASUREMENTS.items():
                wanted = self.workloads.intersection(shown)
                for contestant in list(self._taking_part(wanted))[:: -1 if number % 2 else 1]:
                    told = self._measure(measure, contestant)
                    at = f"{time.monotonic() - start:6.0f}s round {number + 1}/{self.rounds}"
                    self.say(f"{at} {shown[0]:9} {contestant.name:25} {told}")

    def _measure(
        self,
        measure: Callable[[Bench, Contestant], list[Sample]],
        contestant: Contestant,
    ) -> str:
        wanted = self.workloads.intersection(contestant.workloads)
        try:
            found = [each for each in measure(self.bench, contestant) if each.workload in wanted]
        except ContestantError as failure:
            self.failures.append(f"{contestant.name}: {failure}")
            return "failed"
        self.samples += found
        return ", ".join(map(_tell, found))

    def _taking_part(self, wanted: frozenset[str]) -> Iterator[Contestant]:
        """Who does one of ``wanted``; of those with the same client, the first one enqueues."""
        clients = set()
        for contestant in self.contestants:
            if not wanted.intersection(contestant.workloads):
                continue
            if wanted.intersection(PRODUCING):
                if contestant.client in clients:
                    continue
                clients.add(contestant.client)
            yield contestant


def _tell(sample: Sample) -> str:
    if sample.pss_mb is not None:
        return f"{sample.pss_mb:.0f} MB"
    if sample.p50_ms is not None:
        return f"{sample.p50_ms:.2f} ms"
    return f"{sample.rate or 0:,.1f}/s"
