"""The contestants: what is put under faults, and how each says that nothing is pending."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from redis import Redis

from chaos import faults
from chaos.posts import ALL_QUEUES, CELERYS, POOL, Post
from flaskiq.message import read


def queued(client: Redis) -> int:
    """Jobs in the ready lists."""
    return sum(int(client.llen(queue)) for queue in ALL_QUEUES)


def of_celery(client: Redis) -> dict[str, int]:
    """Where stock Celery keeps jobs; those that wait for a time are unacknowledged."""
    return {"queued": queued(client), "unacked": int(client.hlen("unacked"))}


def of_flaskiq(client: Redis) -> dict[str, int]:
    """Where Flaskiq keeps jobs that are to run."""
    inflight = sum(int(client.hlen(key)) for key in client.scan_iter("flaskiq:inflight:*"))
    waiting = {name: int(client.zcard(f"flaskiq:{name}")) for name in ("scheduled", "retry")}
    return {**of_celery(client), **waiting, "in flight": inflight}


def dead_of_flaskiq(client: Redis) -> set[int]:
    """The numbers of the jobs in the dead set."""
    values = map(str, client.hvals("flaskiq:dead:jobs"))
    return {int(read(value.split("\0", 2)[2].encode()).args[0]) for value in values}


def nobody(_client: Redis) -> set[int]:
    """Nothing is buried where there is no dead set."""
    return set()


def let_the_hour_pass(client: Redis) -> None:
    """Age what stock Celery holds for workers that are gone beyond its visibility timeout, and the
    lock that a killed worker may have left (300 s)."""
    client.delete("unacked_mutex")
    for tag in client.hkeys("unacked"):
        client.zadd("unacked_index", {str(tag): 0}, xx=True)


def nothing(_client: Redis) -> None:
    """Wait for no clock: what is not back by itself is lost."""


@dataclass(frozen=True)
class Contestant:
    """``fleet`` are its workers, ``kinds`` the faults that they can have.

    ``pending`` counts jobs by place; ``hasten`` is called when nothing has moved for a while;
    after ``patience`` seconds in which nothing moved, nothing ever will. ``dead`` are the numbers
    of jobs that were buried; ``poison``: some jobs kill the process that runs them, which not
    everybody survives. It ``answers`` for its workers: that none ends by itself, and so on. An idle
    process waits in the server with so many ``waits``: for a job, and with Flaskiq for a job to
    come due.
    """

    app: str
    fleet: Sequence[Post]
    kinds: Sequence[str]
    pending: Callable[[Redis], Mapping[str, int]]
    waits: int
    hasten: Callable[[Redis], None] = nothing
    dead: Callable[[Redis], Collection[int]] = nobody
    poison: bool = False
    answers: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    patience: float = 45


def _flaskiq(
    fleet: Sequence[Post], kinds: Sequence[str], app: str = "chaos.workload.flaskiq_app"
) -> Contestant:
    return Contestant(
        app,
        fleet,
        kinds,
        of_flaskiq,
        waits=2,
        dead=dead_of_flaskiq,
        poison=True,
        # Celery's prefork ends with a traceback when a child dies while it connects again.
        answers=fleet is POOL,
    )


CONTESTANTS = {
    "flaskiq": _flaskiq(POOL, faults.KINDS),
    # Flaskiq in Celery's own pools.
    "prefork": _flaskiq(CELERYS, faults.OF_CELERYS_POOLS),
    # Flaskiq, but a fetch does not record in flight what it takes.
    "unsafe": _flaskiq(POOL, faults.KINDS, "chaos.workload.unsafe_app"),
    "celery": Contestant(
        "chaos.workload.celery_app",
        CELERYS,
        faults.OF_CELERYS_POOLS,
        of_celery,
        waits=1,
        hasten=let_the_hour_pass,
    ),
}
