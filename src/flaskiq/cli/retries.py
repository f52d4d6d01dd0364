"""``flaskiq retries``: jobs that failed and wait for another attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flaskiq.cli.act import RETRY
from flaskiq.cli.job_list import JobList, limit
from flaskiq.cli.job_set import FILTERS, JobSet
from flaskiq.cli.selection import filters

if TYPE_CHECKING:
    from flaskiq.api import Filter, RetrySet


@click.group(invoke_without_command=True)
@filters(*FILTERS)
@limit
@click.pass_context
def retries(context: click.Context, where: Filter, limit: int) -> None:
    """List and steer jobs that wait for another attempt.

    The next one is in front; ATTEMPT is the one that it waits for.

    \b
    flaskiq retries
    flaskiq retries --worker Import --error Timeout
    flaskiq retries show ID
    flaskiq retries retry ID
    """
    JOBS.show_list(context, where, limit)


def _open() -> RetrySet:
    from flaskiq.api import RetrySet

    return RetrySet()


LIST = JobList(
    "the retry set",
    ("ID", "WORKER", "QUEUE", "ATTEMPT", "AT", "IN", "ERROR"),
    "No jobs wait for another attempt. Those that gave up: flaskiq dead",
)

JOBS = JobSet(retries, LIST, _open)
JOBS.add_show()
JOBS.add("retry", RETRY, "run_now", "run_all_now", "Try jobs again now.")
JOBS.add_reschedule()
JOBS.add_kill("Move jobs to the dead set, whatever attempts they have left.")
JOBS.add_delete("Delete jobs: they end as cancelled ones.")
