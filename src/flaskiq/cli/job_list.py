"""Lists of jobs, as tables."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from flaskiq.cli.output import is_json, moment, show, table
from flaskiq.number import ago
from flaskiq.number import jobs as counted

if TYPE_CHECKING:
    from flaskiq.api import Filter, JobRecord

LIMIT = 25

WIDEST = 60
"""Characters of a cell."""

limit = click.option(
    "--limit",
    default=LIMIT,
    show_default=True,
    type=click.IntRange(min=1),
    help="How many jobs to show.",
)


def shortened(text: str) -> str:
    """Return a text on one line that fits a cell."""
    line = " ".join(text.split())
    return line if len(line) <= WIDEST else f"{line[: WIDEST - 1]}…"


def arguments(job: JobRecord) -> str:
    """Return the arguments as they are written in a call."""
    if job.message is None:
        return "unreadable"
    given = [_json(value) for value in job.args or ()]
    given += [f"{name}={_json(value)}" for name, value in (job.kwargs or {}).items()]
    return ", ".join(given)


def _json(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _error(job: JobRecord) -> str:
    failure = job.failure
    return shortened(f"{failure.error}: {failure.message}") if failure else "-"


def _until(job: JobRecord) -> str:
    return "-" if job.at is None else ago(max(0.0, job.at - time.time()))


def _since(job: JobRecord) -> str:
    return "-" if job.at is None else ago(max(0.0, time.time() - job.at))


COLUMNS: Mapping[str, Callable[[JobRecord], Any]] = MappingProxyType(
    {
        "ID": lambda job: job.id or "-",
        "WORKER": lambda job: job.worker,
        "QUEUE": lambda job: job.queue,
        "ATTEMPT": lambda job: job.attempt,
        "AT": lambda job: moment(job.at),
        "DIED": lambda job: moment(job.at),
        "IN": _until,
        "AGE": _since,
        "ERROR": _error,
        "ARGUMENTS": lambda job: shortened(arguments(job)),
    }
)


class JobList(NamedTuple):
    """How the jobs of one place are listed.

    ``place`` is for people (``the retry set``); ``empty`` says what there could be, and what to do.
    """

    place: str
    columns: tuple[str, ...]
    empty: str

    def show(
        self,
        context: click.Context,
        jobs: Iterable[JobRecord],
        size: int,
        where: Filter,
        most: int,
    ) -> None:
        """Print the first ``most`` of the jobs that are meant, of ``size`` in all."""
        meant = filter(where.matches, jobs)
        page = list(islice(meant, most))
        if is_json(context):
            document = {"size": size, "jobs": [job.as_dict() for job in page]}
            return show(context, document, str)
        rows = [[COLUMNS[name](job) for name in self.columns] for job in page]
        lines = [table(self.columns, rows, self._nothing(size))]
        if page and next(meant, None) is not None:
            lines.append(f"{self._more(len(page), size, where)} --limit shows more.")
        click.echo("\n".join(lines))
        return None

    def _nothing(self, size: int) -> str:
        if not size:
            return self.empty
        return f"None of the {counted(size)} in {self.place} is like this."

    def _more(self, shown: int, size: int, where: Filter) -> str:
        if where.is_empty:
            return f"{shown:,} of the {counted(size)} in {self.place};"
        return f"The first {shown:,} like this in {self.place};"
