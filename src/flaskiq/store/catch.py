"""Catch: what is published goes to whoever made it, in place of Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from flaskiq.store.place import Placed


class Caught(NamedTuple):
    """A job that would have been enqueued; ``at`` is when it is due, None for now."""

    id: str
    at: float | None
    placed: Placed


class Catch:
    """Jobs in the order in which they were published."""

    def __init__(self, *, takes_later: bool) -> None:
        self.takes_later = takes_later
        """Whether jobs with a time are caught, too."""
        self.jobs: list[Caught] = []


catches: ContextVar[Catch | None] = ContextVar("flaskiq.catch", default=None)
"""Who takes what is published here, None for Redis."""


@contextmanager
def catching(*, takes_later: bool = False) -> Iterator[Catch]:
    """Catch the jobs that are published within the block."""
    catch = Catch(takes_later=takes_later)
    token = catches.set(catch)
    try:
        yield catch
    finally:
        catches.reset(token)
