"""The posts: the places of the fleet, the queues that they serve, and who serves them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

QUEUES = ("critical", "default", "low")

OURS = "flaskiq"
"""The name of our own pool."""

TRAP = "trap"
"""The post whose worker is idle unless a job is sent to trap it."""

NAMES = ("first", "second", "third", "fourth", TRAP)

ALL_QUEUES = (*QUEUES, *NAMES)


class Shape(NamedTuple):
    """How a worker runs jobs: ``size`` processes (or threads, in Celery's pool of that name) with
    so many ``threads`` each, and for each thread so many jobs in hand."""

    pool: str
    size: int = 1
    threads: int = 1
    prefetch: int = 1


class Post(NamedTuple):
    """A place that always has a worker; its workers take one shape after the other.

    Each post has a queue of its own besides ``shared``, called like it, so that a job can be meant
    for one worker: to trap it, or to see that it still takes jobs.
    """

    name: str
    shapes: Sequence[Shape]
    shared: Sequence[str] = QUEUES

    @property
    def queues(self) -> tuple[str, ...]:
        """What its worker serves, in order."""
        return (*self.shared, self.name)


CELERYS = (
    Post("first", (Shape("solo"),)),
    Post("second", (Shape("threads", 3),)),
    Post("third", (Shape("solo"), Shape("threads"))),
    Post("fourth", (Shape("prefork", 2),)),
    Post(TRAP, (Shape("solo"), Shape("threads"), Shape("prefork")), shared=()),
)
"""All of Celery's own pools."""

POOL = (
    Post("first", (Shape(OURS, 2),)),
    Post("second", (Shape(OURS, 2, prefetch=16),)),
    Post("third", (Shape(OURS, 2, threads=3, prefetch=16), Shape(OURS, 2, threads=3))),
    Post(TRAP, (Shape(OURS, threads=3, prefetch=16), Shape(OURS), Shape(OURS, prefetch=16)), ()),
)
"""Our own: strict, with batches, and with several jobs at a time in each process."""
