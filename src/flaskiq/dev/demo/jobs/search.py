"""Search: the index over all products."""

from __future__ import annotations

from typing import Any

from flaskiq.chords.parallel import parallel
from flaskiq.chords.results import chord_results
from flaskiq.dev.demo.dice import happens, work
from flaskiq.worker import Worker

SHELVES = ("kitchen", "garden", "books", "toys", "läufer & teppiche", "抹茶")


class RebuildSearchIndex(Worker):
    """Once an hour: a job for each shelf, two at a time, and one that puts them together."""

    name = "shop.RebuildSearchIndex"
    cron_schedule = "17 * * * *"
    cron_overlap = "skip"

    @classmethod
    def perform(cls) -> str:
        """Enqueue the parts."""
        result = parallel([IndexShelf.s(shelf) for shelf in SHELVES], then=SwapIndex.s(), limit=2)
        return str(result.id)


class IndexShelf(Worker):
    """A part of a chord; one that fails does not hold up the others."""

    name = "shop.IndexShelf"
    max_retries = 0

    @classmethod
    def perform(cls, shelf: str) -> int:
        """Index the products of a shelf; return their number."""
        work(2, 8)
        if happens(0.05):
            raise TimeoutError(f"index-2.search.example: no answer for shelf {shelf!r}")
        return 100 * len(shelf)


class SwapIndex(Worker):
    """The body of that chord."""

    name = "shop.SwapIndex"

    @classmethod
    def perform(cls, parts: list[Any]) -> dict[str, int]:
        """Let the new index answer."""
        work(0.1, 0.5)
        return chord_results(parts).summary
