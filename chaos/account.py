"""The account: which jobs were lost, which ran twice, and which of those for a reason. Pure.

A job is a token. A push makes one; the start of an attempt takes it; a fault that ends or freezes
the process gives it back, if the attempt was running then or had ended so shortly before that its
acknowledgement may not have been sent, but not once the attempt has run in so many dying processes
that it belongs into the dead set. An attempt that fails hands one token to the next attempt,
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
    """The right to start an attempt from ``at`` on, why there is one, how many processes have died
    in which it ran, and how many seconds before that it had ended."""

    at: float
    why: str
    deaths: int = 0
    ended: float = 0.0


@dataclass
class Account:
    """What became of the jobs.

    ``stuck`` counts those that were still in Redis at the end, by place; ``dead`` are those in the
    dead set, ``buried`` those that are there for a reason, ``poisoned`` those of them that have
    killed their processes; ``hits`` counts the executions that a fault hit while they ran, by its
    kind; ``duplicates`` the explained ones, by their reason, and ``ended`` how many seconds before
    it they had ended at most. ``complaints`` are of workers that did
    not do as they should.
    """

    jobs: int
    faults: Faults
    stuck: Mapping[str, int] = field(default_factory=dict)
    dead: Collection[int] = ()
    complaints: Sequence[str] = ()
    buried: list[int] = field(default_factory=list)
    poisoned: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    duplicates: Counter[str] = field(default_factory=Counter)
    unexplained: list[Execution] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    ended: dict[str, float] = field(default_factory=lambda: defaultdict(float))
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
        complaints: Sequence[str] = (),
    ) -> Account:
        """Draw up the account of the jobs 0 to ``jobs`` - 1."""
        account = cls(jobs, faults, stuck or {}, dead, complaints)
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
        """Whether nothing is lost, unexplained or stuck, and no worker to be complained of."""
        return not (self.lost or self.unexplained or self.stuck or self.complaints)

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
            self._settle_undone(job, records, [run for runs in attempts.values() for run in runs])
        pushed = list(_pushes(records, self.faults))
        tokens = pushed
        for _, runs in sorted(attempts.items()):
            self._spend(tokens, runs)
            failures = [Token(run.end, FAILED) for run in runs if run.failed and run.end]
            tokens = sorted(failures)[: len(pushed)]

    def _settle_undone(
        self, job: int, records: Sequence[Record], runs: Sequence[Execution]
    ) -> None:
        """One that kills its processes may also have been in flight, not begun, in a death."""
        deaths = sum(self._is_excused(run) for run in runs)
        is_poisoned = any(record.event == ledger.DIE for record in records)
        if is_poisoned:
            deaths += self.faults.deaths(records[0].at, records[-1].at)
        is_buried = job in self.dead and deaths >= MOST_DEATHS
        (self.buried if is_buried else self.lost).append(job)
        if is_buried and is_poisoned:
            self.poisoned.append(job)

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
                if place:
                    self.duplicates.update([token.why])
                    self.ended[token.why] = max(self.ended[token.why], token.ended)
            free += self._give_back(run, token.deaths if token else 0)

    def _give_back(self, run: Execution, deaths: int) -> list[Token]:
        """At most one: what another process was given is not given again when this one ends."""
        hits = self.faults.that_hit(run)
        self.hits.update({fault.kind for fault in hits if run.is_running(fault.begin)})
        for fault in hits:
            if fault.kind in EXCUSES:
                deaths += run.is_running(fault.begin)
                ended = max(0.0, fault.begin - (run.end or fault.begin))
                token = Token(fault.begin, fault.kind, deaths, ended)
                return [token] if deaths < MOST_DEATHS else []
        return []

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
