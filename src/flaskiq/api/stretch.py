"""Stretches of a list of jobs: what a page shows, and what an act on many has come to.

A place in a list is a text that only the list itself can read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from flaskiq.api.job_record import JobRecord

PAGE = 20
"""Jobs on a page."""

LOOKED_AT = 5_000
"""Jobs that one page looks at for those that a filter means."""

CHUNK = 1_000
"""Jobs that are looked at, or dealt with, at once."""


class Page(NamedTuple):
    """Jobs of a list, found among the ``looked_at`` next; ``after`` is where the next page begins,
    None at the end."""

    jobs: Sequence[JobRecord]
    looked_at: int
    after: str | None


class Stretch(NamedTuple):
    """``done``: jobs that were acted on, among the ``looked_at`` next; ``after`` is where the next
    stretch begins, None at the end."""

    done: int
    looked_at: int
    after: str | None


Progress = Callable[[int], object]
"""Is told how many jobs were dealt with since it was last called."""


def unobserved(_: int) -> None:
    """Nobody wants to know."""


def to_the_end(
    act: Callable[[str | None, int], Stretch], most: int, progress: Progress = unobserved
) -> int:
    """Act on one stretch after the other, ``most`` jobs in all; return how many were acted on.

    ``act`` is given a place, and how many jobs to look at.
    """
    done, after = 0, None
    while most > 0:
        stretch = act(after, min(CHUNK, most))
        done, after, most = done + stretch.done, stretch.after, most - stretch.looked_at
        progress(stretch.looked_at)
        if after is None:
            break
    return done
