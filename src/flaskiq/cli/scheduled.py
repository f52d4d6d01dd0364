"""``flaskiq scheduled``: jobs that wait for their time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flaskiq.cli.act import RUN
from flaskiq.cli.job_list import JobList, limit
from flaskiq.cli.job_set import FILTERS, JobSet
from flaskiq.cli.selection import filters

if TYPE_CHECKING:
    from flaskiq.api import Filter, ScheduledSet


@click.group(invoke_without_command=True)
@filters(*FILTERS)
@limit
@click.pass_context
def scheduled(context: click.Context, where: Filter, limit: int) -> None:
    """List and steer jobs that wait for their time.

    The next one is in front.

    \b
    flaskiq scheduled
    flaskiq scheduled --worker Import --limit 100
    flaskiq scheduled run ID
    flaskiq scheduled reschedule ID --in 1h30m
    """
    JOBS.show_list(context, where, limit)


def _open() -> ScheduledSet:
    from flaskiq.api import ScheduledSet

    return ScheduledSet()


LIST = JobList(
    "the scheduled set",
    ("ID", "WORKER", "QUEUE", "AT", "IN", "ARGUMENTS"),
    "No jobs wait for their time. Schedule one: flaskiq jobs run WORKER --in 5m",
)

JOBS = JobSet(scheduled, LIST, _open)
JOBS.add_show()
JOBS.add("run", RUN, "run_now", "run_all_now", "Run jobs now: put them behind their queues.")
JOBS.add_reschedule()
JOBS.add_kill("Move jobs to the dead set, without running them.")
JOBS.add_delete("Delete jobs: they end as cancelled ones.")
