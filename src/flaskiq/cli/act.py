"""Act: what a command does to jobs, one by one or to many, and what it says about it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import click

from flaskiq.cli.output import is_json, show
from flaskiq.number import jobs as counted

if TYPE_CHECKING:
    from flaskiq.api import Filter, JobRecord
    from flaskiq.cli.selection import Selection

Progress = Callable[[int], object]


class Verb(NamedTuple):
    """One word in the three forms that are needed."""

    base: str
    doing: str
    done: str


DELETE = Verb("Delete", "Deleting", "Deleted")
KILL = Verb("Kill", "Killing", "Killed")
RESCHEDULE = Verb("Reschedule", "Rescheduling", "Rescheduled")
RETRY = Verb("Retry", "Enqueueing", "Enqueued")
RUN = Verb("Run", "Enqueueing", "Enqueued")


class Jobs(Protocol):
    """Jobs that can be counted and looked at."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[JobRecord]: ...


class Many(Protocol):
    """Acts on the jobs that are meant, and returns on how many."""

    def __call__(self, where: Filter, progress: Progress) -> int: ...


@dataclass(frozen=True)
class Act:
    """What is done to jobs that are somewhere; ``place`` is for people: ``the retry set``."""

    verb: Verb
    place: str
    jobs: Jobs
    one: Callable[[str], bool]
    many: Many

    def carry_out(self, context: click.Context, selection: Selection, *, yes: bool) -> None:
        """Act, say so, and exit with 1 if a job that was asked for was not there."""
        if selection.ids:
            self._on_each(context, selection.ids)
        else:
            self._on_many(context, selection.where, yes=yes)

    def _on_each(self, context: click.Context, ids: tuple[str, ...]) -> None:
        missing = [job_id for job_id in ids if not self.one(job_id)]
        count = len(ids) - len(missing)
        lines = [f"{self.verb.done} {counted(count)} of {self.place}."] if count else []
        lines += [
            f"There is no job {job_id} in {self.place}; `flaskiq jobs find {job_id}` says more."
            for job_id in missing
        ]
        self._show(context, count, missing, "\n".join(lines))
        context.exit(1 if missing else 0)

    def _on_many(self, context: click.Context, where: Filter, *, yes: bool) -> None:
        if not yes:
            size = self._count(where)
            if size:
                confirm(f"{self.verb.base} {counted(size)} of {self.place}?", yes=False)
        with bar(context, self.verb.doing, len(self.jobs)) as progress:
            count = self.many(where, progress)
        text = f"{self.verb.done} {counted(count)} of {self.place}."
        self._show(context, count, [], text if count else self._nothing(where))
        context.exit(0 if count or where.is_empty else 1)

    def _count(self, where: Filter) -> int:
        return len(self.jobs) if where.is_empty else sum(map(where.matches, self.jobs))

    def _nothing(self, where: Filter) -> str:
        are = "No jobs are" if where.is_empty else "No jobs like these are"
        return f"{are} in {self.place}."

    def _show(self, context: click.Context, count: int, missing: list[str], text: str) -> None:
        document = {self.verb.done.lower(): count, "missing": missing}
        show(context, document, lambda: text)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before much is done, on standard error.

    Raises:
        click.UsageError: there is no terminal at which somebody could answer.
        click.ClickException: the answer was no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is no terminal to ask at; add --yes.")
    if not click.confirm(question, err=True):
        raise click.ClickException("Nothing was done.")


@contextmanager
def bar(context: click.Context, label: str, length: int) -> Iterator[Progress]:
    """Show a progress bar on standard error, if that is a terminal and JSON is not asked for."""
    if is_json(context) or not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as shown:
        yield shown.update
