"""Works through a long list without holding more than a chunk of its results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flaskiq import Worker, current_job


class ResourceAwareWorker(Worker):
    """Sums up the squares of numbers in chunks, and says after each how far it is.

    A list travels through Redis with its job. What is larger than some thousand items belongs
    into a file or a table: pass its path or key, as ``DataProcessingWorker`` does.
    """

    queue = "low"
    max_retries = 3

    @classmethod
    def perform(cls, numbers: list[int], chunk_size: int = 1000) -> dict[str, Any]:
        """Return ``{"count": n, "chunks": n, "sum_of_squares": n}``.

        Raises:
            ValueError: ``chunk_size`` is below 1.
        """
        if chunk_size < 1:
            raise ValueError(f"chunk_size must be at least 1, not {chunk_size}")
        done = chunk_count = total = 0
        for chunk in split(numbers, chunk_size):
            total += process_chunk(chunk)
            done += len(chunk)
            chunk_count += 1
            if current_job:
                current_job.progress(done, len(numbers), f"chunk {chunk_count}")
        return {"count": done, "chunks": chunk_count, "sum_of_squares": total}


def split(numbers: list[int], size: int) -> Iterator[list[int]]:
    """Yield slices of at most ``size`` numbers, one at a time."""
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


def process_chunk(chunk: list[int]) -> int:
    return sum(number * number for number in chunk)
