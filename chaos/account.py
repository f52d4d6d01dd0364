"""The account: which jobs were lost, which ran twice, and which of those for a reason. Pure.

A job is a token. A push makes one; the start of an attempt takes it; a fault that ends or freezes
the process gives it back, if the attempt was running then or had ended so shortly before that its
acknowledgement may not have been sent. An attempt that fails hands one token to the next attempt,
however often it ran. A process that freezes while it is about to start a job starts it when it goes
on; that start brings its own token. A start that finds no token is unexplained.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from chaos import executions, ledger
from chaos.executions import Execution
from chaos.faults import EXCUSES, FREEZE, Faults
from chaos.ledger import Record

MOST_DEATHS = 3
"""So many processes may die with a job in flight; then it belongs into the dead set."""

PUSHED, FAILED = "pushed twice", "failed before"


class Token(NamedTuple):
    """The right to start an attempt from ``at`` on, and why there is one."""

    at: float
    why: str


@dataclass
class Account:
    """What became of the jobs.

    ``stuck`` counts those that were still in Redis at the end, by place; ``dead`` are those in the
    dead set, ``buried`` those that are there for a reason; ``hits`` counts the executions that a
    fault hit while they ran, by its kind; ``duplicates`` the explained ones, by their reason.
    """

    jobs: int
    faults: Faults
    stuck: Mapping[str, int] = field(default_factory=dict)
    dead: Collection[int] = ()
    buried: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    duplicates: Counter[str] = field(default_factory=Counter)
    unexplained: list[Execution] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    _resumed: Collection[tuple[int, float]] = ()

    @classmethod
    def draw_up(
        cls,
        jobs: int,
        records: Sequence[Record],
        faults: Faults,
        *,
        stuck: Mapping[str, int] | None = None,
        dead: Collection[int] = (),
    ) -> Account:
        """Draw up the account of the jobs 0 to ``jobs`` - 1."""
        account = cls(jobs, faults, stuck or {}, dead)
        by_job: dict[int, list[Record]] = defaultdict(list)
        for record in records:
            by_job[record.job].append(record)
        starts = (record for record in records if record.event == ledger.START)
        account._resumed = faults.resumed(starts)
        for job in range(jobs):
            account.settle(job, by_job[job])
        return account

    @property
    def clean(self) -> bool:
        """Whether nothing is lost, unexplained or stuck."""
        return not (self.lost or self.unexplained or self.stuck)

    def numbers(self) -> dict[str, int]:
        """What the last line says."""
        return {
            "jobs": self.jobs,
            "faults": len(self.faults),
            "lost": len(self.lost),
            "duplicates": sum(self.duplicates.values()) + len(self.unexplained),
            "unexplained": len(self.unexplained),
        }

    def __str__(self) -> str:
        return "chaos: " + " ".join(f"{name}={value}" for name, value in self.numbers().items())

    def settle(self, job: int, records: Sequence[Record]) -> None:
        """Add one job, given its records in the order of time."""
        attempts: dict[int, list[Execution]] = defaultdict(list)
        for run in executions.join(records):
            attempts[run.attempt].append(run)
        if not any(record.event == ledger.DONE for record in records):
            deaths = sum(self._is_excused(run) for runs in attempts.values() for run in runs)
            buried = job in self.dead and deaths >= MOST_DEATHS
            (self.buried if buried else self.lost).append(job)
        pushed = list(_pushes(records, self.faults))
        tokens = pushed
        for _, runs in sorted(attempts.items()):
            self._spend(tokens, runs)
            failures = [Token(run.end, FAILED) for run in runs if run.failed and run.end]
            tokens = sorted(failures)[: len(pushed)]

    def _spend(self, tokens: Sequence[Token], runs: Sequence[Execution]) -> None:
        """Let each start of one attempt take a token."""
        free = list(tokens)
        for place, run in enumerate(runs):
            if (run.pid, run.start) in self._resumed:
                free.append(Token(run.start, FREEZE))
            token = min((token for token in free if token.at <= run.start), default=None)
            if token is None:
                self.unexplained.append(run)
            else:
                free.remove(token)
                self.duplicates.update([token.why] if place else [])
            free += self._give_back(run)

    def _give_back(self, run: Execution) -> list[Token]:
        """At most one: what another process was given is not given again when this one ends."""
        hits = self.faults.that_hit(run)
        self.hits.update({fault.kind for fault in hits if run.is_running(fault.begin)})
        return [Token(fault.begin, fault.kind) for fault in hits if fault.kind in EXCUSES][:1]

    def _is_excused(self, run: Execution) -> bool:
        return any(fault.kind in EXCUSES for fault in self.faults.that_hit(run))


def _pushes(records: Iterable[Record], faults: Faults) -> Iterator[Token]:
    """One token for each push, and one more for each outage during it: a client that loses the
    reply cannot know whether the job has arrived, and repeats it."""
    begin = 0.0
    for record in records:
        if record.event == ledger.PUSH:
            begin = record.at
            yield Token(begin, PUSHED)
        elif record.event == ledger.PUSHED:
            yield from [Token(begin, PUSHED)] * faults.outages(begin, record.at)
