"""Listing: a page of jobs, which of them are meant, and what can be done with those."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import abort, request

from flaskiq.api import Filter, JobRecord

PAGE = 25
"""Jobs on a page."""

FIELDS = ("worker", "queue", "error", "argument")
"""Of a filter, as they stand in the URL."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Jobs as they are listed; ``after`` is the cursor of the next page.

    With a filter ``looked_at`` jobs were looked at and no more: the next page goes on.
    """

    jobs: Sequence[JobRecord]
    total: int
    where: Filter
    after: str | None
    looked_at: int
    acts: Sequence[tuple[str, str]]

    @property
    def fields(self) -> dict[str, Any]:
        """What the filter asks for, by field."""
        return {name: getattr(self.where, name) or "" for name in FIELDS}

    @property
    def next(self) -> dict[str, str]:
        """The query of the next page."""
        given = {name: value for name, value in self.fields.items() if value}
        return {**given, "after": self.after or ""}


def given() -> Filter:
    """Return the filter in the URL."""
    return Filter(**{name: request.args.get(name) or None for name in FIELDS})


def selected() -> list[str] | None:
    """Return the jobs that were ticked; None for all that the filter means."""
    if request.form.get("all") == "1":
        return None
    ids = request.form.getlist("id")
    if not ids:
        abort(400, "No job was ticked.")
    return ids
