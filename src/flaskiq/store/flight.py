"""Flight: where a job is in flight. Pure."""

from __future__ import annotations

from typing import NamedTuple

FLIGHT_HEADER = "flaskiq_flight"
"""Message header, in a worker's memory only, that holds it."""

SNOOZE_HEADER = "flaskiq_snooze"
"""Message header, on its way to Redis only, of an attempt that is put off."""


ADMITTED_HEADER = "flaskiq_admitted"
"""Message header of a job that waited for its turn under a rate limit, and has it now."""


def flight_text(process: str, seq: int) -> str:
    """Return a :class:`Flight` as text."""
    return f"{process}/{seq}"


class Flight(NamedTuple):
    """Where a job is in flight."""

    process: str
    seq: int

    def __str__(self) -> str:
        return flight_text(self.process, self.seq)

    @classmethod
    def parse(cls, text: str) -> Flight:
        """Read what ``str`` made."""
        process, _, seq = text.rpartition("/")
        return cls(process, int(seq))
