"""The posts: the places of the fleet, and the queues that they serve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

QUEUES = ("critical", "default", "low")


class Post(NamedTuple):
    """A place that always has a worker; its workers use one pool after the other.

    Each post has a queue of its own besides ``shared``, called like it, so that a job can be meant
    for one worker: to trap it, or to see that it still takes jobs.
    """

    name: str
    pools: Sequence[str]
    concurrency: int
    shared: Sequence[str] = QUEUES

    @property
    def queues(self) -> tuple[str, ...]:
        """What its worker serves, in order."""
        return (*self.shared, self.name)


TRAP = Post("trap", ("solo", "threads", "prefork"), 1, shared=())
"""Its worker is idle unless a job is sent to trap it."""

POSTS = (
    Post("first", ("solo",), 1),
    Post("second", ("threads",), 3),
    Post("third", ("solo", "threads"), 1),
    Post("prefork", ("prefork",), 2),
    TRAP,
)

ALL_QUEUES = (*QUEUES, *(post.name for post in POSTS))
