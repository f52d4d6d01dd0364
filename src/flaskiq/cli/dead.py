"""``flaskiq dead``: jobs that gave up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flaskiq.cli.act import RETRY
from flaskiq.cli.job_list import JobList, limit
from flaskiq.cli.job_set import FILTERS, JobSet
from flaskiq.cli.selection import filters

if TYPE_CHECKING:
    from flaskiq.api import DeadSet, Filter


@click.group(invoke_without_command=True)
@filters(*FILTERS)
@limit
@click.pass_context
def dead(context: click.Context, where: Filter, limit: int) -> None:
    """List and steer the jobs that gave up.

    The one that died last is in front.

    \b
    flaskiq dead
    flaskiq dead --worker Import --error Timeout
    flaskiq dead show ID
    flaskiq dead retry ID
    """
    JOBS.show_list(context, where, limit)


def _open() -> DeadSet:
    from flaskiq.api import DeadSet

    return DeadSet()


LIST = JobList(
    "the dead set",
    ("ID", "WORKER", "QUEUE", "ATTEMPT", "DIED", "ERROR"),
    "No jobs gave up. Those that will be tried again: flaskiq retries",
)

JOBS = JobSet(dead, LIST, _open)
JOBS.add_show()
JOBS.add(
    "retry", RETRY, "retry", "retry_all", "Enqueue jobs again: same id, attempts counted anew."
)
JOBS.add_delete("Delete jobs for good.")
