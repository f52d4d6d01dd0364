"""The processes that fetch, and the jobs that run in them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from flaskiq import current
from flaskiq.api.asked import asked
from flaskiq.store.reading import Reading, together
from flaskiq.store.statistics import Running

PATIENCE = 2.0
"""Seconds that a process has to answer."""


@dataclass(frozen=True, kw_only=True)
class RunningJob:
    """A job that runs; ``since`` in seconds since the epoch. Up to a second old."""

    id: str
    worker: str
    queue: str
    attempt: int
    since: float
    process: str


@dataclass(frozen=True, kw_only=True)
class Process:
    """One fetching process; ``rss`` in bytes, with its children; ``cpu`` in percent of one CPU
    over the last heartbeat; times in seconds since the epoch. Up to a heartbeat old."""

    identity: str
    app: str
    node: str
    host: str
    pid: int
    pool: str
    queues: tuple[str, ...]
    concurrency: int
    rss: int
    cpu: float
    started_at: float
    beat_at: float
    is_quiet: bool
    jobs: tuple[RunningJob, ...] = field(repr=False)

    @property
    def busy(self) -> int:
        """How many jobs run in it."""
        return len(self.jobs)

    def quiet(self) -> bool:
        """Tell it to fetch no more jobs; return whether it has answered."""
        return self._tell("quiet_process")

    def stop(self) -> bool:
        """Tell it to end when its jobs have, as TERM does; return whether it has answered."""
        return self._tell("stop_process")

    def _tell(self, command: str) -> bool:
        replies = current.state().celery.control.broadcast(
            command,
            arguments={"process": self.identity},
            destination=[self.node],
            reply=True,
            timeout=PATIENCE,
        )
        return any("ok" in answer for reply in replies or () for answer in reply.values())


class ProcessSet:
    """The processes that live."""

    def __iter__(self) -> Iterator[Process]:
        return iter(processes())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, identity: str) -> Process:
        """Return a process by its identity.

        Raises:
            KeyError: it does not live.
        """
        for process in self:
            if process.identity == identity:
                return process
        raise KeyError(identity)


@asked
def processes() -> Reading[list[Process]]:
    """The processes that live, by node; two trips."""
    store = current.state().store
    identities = sorted((yield from store.processes.live.reading()))
    facts, *jobs = yield from together(
        store.processes.facts_of(identities), *map(store.statistics.running.reading, identities)
    )
    found = [
        _process(identity, facts[identity], each)
        for identity, each in zip(identities, jobs, strict=True)
        if "node" in facts[identity]
    ]
    return sorted(found, key=lambda each: (each.node, each.identity))


def running() -> list[RunningJob]:
    """The jobs that run, the longest running first."""
    jobs = [job for process in ProcessSet() for job in process.jobs]
    return sorted(jobs, key=lambda job: job.since)


def _process(identity: str, facts: Mapping[str, str], jobs: Mapping[str, Running]) -> Process:
    return Process(
        identity=identity,
        app=facts["app"],
        node=facts["node"],
        host=facts["host"],
        pid=int(facts["pid"]),
        pool=facts["pool"],
        queues=tuple(json.loads(facts["queues"])),
        concurrency=int(facts["concurrency"]),
        rss=int(facts["rss"]),
        cpu=float(facts["cpu"]),
        started_at=float(facts["started_at"]),
        beat_at=float(facts["beat_at"]),
        is_quiet=facts["quiet"] == "1",
        jobs=tuple(_running(identity, job_id, job) for job_id, job in jobs.items()),
    )


def _running(identity: str, job_id: str, job: Running) -> RunningJob:
    return RunningJob(
        id=job_id,
        worker=job.worker,
        queue=job.queue,
        attempt=job.attempt,
        since=job.since,
        process=identity,
    )
