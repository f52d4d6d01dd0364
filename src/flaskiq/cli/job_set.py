"""JobSet: what the commands ``scheduled``, ``retries`` and ``dead`` have in common."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from flaskiq.cli.act import DELETE, KILL, RESCHEDULE, Act, Many, Verb
from flaskiq.cli.job_list import JobList
from flaskiq.cli.job_text import describe, document
from flaskiq.cli.moment import needed, when
from flaskiq.cli.output import show as show_document
from flaskiq.cli.scope import enter
from flaskiq.cli.selection import Selection, selects

if TYPE_CHECKING:
    from flaskiq.api import Filter

FILTERS = ("worker", "queue", "error", "argument")


class JobSet(NamedTuple):
    """A set of jobs and the group of commands for it; ``open`` returns its ``flaskiq.api`` class.

    The methods add the commands that more than one of the sets have.
    """

    group: click.Group
    listing: JobList
    open: Callable[[], Any]

    @property
    def place(self) -> str:
        """What people call it."""
        return self.listing.place

    def show_list(self, context: click.Context, where: Filter, most: int) -> None:
        """Print the first jobs, unless a subcommand follows.

        Raises:
            click.UsageError: a filter stands before the subcommand, which would not see it.
        """
        name = context.invoked_subcommand
        if name is None:
            enter(context)
            jobs = self.open()
            self.listing.show(context, jobs, len(jobs), where, most)
        elif not where.is_empty:
            path = context.command_path
            raise click.UsageError(f"Filters stand behind the command: {path} {name} --worker ...")

    def add_show(self) -> None:
        """Add ``show``."""

        example = f"\b\nflaskiq {self.group.name} show ID"

        @self.group.command(help=f"Show one job, with its last failure and traceback.\n\n{example}")
        @click.argument("job_id", metavar="ID")
        @click.pass_context
        def show(context: click.Context, job_id: str) -> None:
            enter(context)
            job = self.open().find(job_id)
            if job is None:
                raise click.ClickException(
                    f"There is no job {job_id} in {self.place}; "
                    f"`flaskiq jobs find {job_id}` says more."
                )
            show_document(context, document(job), lambda: describe(job, traceback=True))

    def add(self, name: str, verb: Verb, one: str, many: str, text: str) -> None:
        """Add a command that does what the methods ``one`` and ``many`` of the set do."""

        @self.group.command(name, help=f"{text}\n\n{self._examples(name)}")
        @selects(*FILTERS)
        @click.pass_context
        def act(context: click.Context, selection: Selection, yes: bool) -> None:
            enter(context, workers=True)
            jobs = self.open()
            self._act(verb, jobs, getattr(jobs, one), getattr(jobs, many)).carry_out(
                context, selection, yes=yes
            )

    def add_delete(self, text: str) -> None:
        """Add ``delete``."""
        self.add("delete", DELETE, "delete", "delete_all", text)

    def add_kill(self, text: str) -> None:
        """Add ``kill``."""
        self.add("kill", KILL, "kill", "kill_all", text)

    def add_reschedule(self) -> None:
        """Add ``reschedule``."""
        examples = self._examples("reschedule", " --in 5m", " --at 2030-01-31T09:00")

        @self.group.command(help=f"Change when jobs are due.\n\n{examples}")
        @selects(*FILTERS)
        @when
        @click.pass_context
        def reschedule(
            context: click.Context,
            selection: Selection,
            yes: bool,
            delay: timedelta | None,
            at: datetime | None,
        ) -> None:
            due = needed(delay, at)
            enter(context)
            jobs = self.open()
            one, many = partial(jobs.reschedule, at=due), partial(jobs.reschedule_all, due)
            self._act(RESCHEDULE, jobs, one, many).carry_out(context, selection, yes=yes)

    def _act(self, verb: Verb, jobs: Any, one: Callable[[str], bool], many: Many) -> Act:
        return Act(verb, self.place, jobs, one, many)

    def _examples(self, name: str, *ends: str) -> str:
        """Return a paragraph of help that click leaves as it is."""
        first, last = ends or ("", "")
        command = f"flaskiq {self.group.name} {name}"
        return f"\b\n{command} ID{first}\n{command} --worker Import{last}\n{command} --all{first}"
