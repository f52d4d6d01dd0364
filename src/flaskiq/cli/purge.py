"""``flaskiq purge``: throws away the jobs that wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from flaskiq.cli.act import Progress, bar, confirm
from flaskiq.cli.output import show, table
from flaskiq.cli.queues import queue_named
from flaskiq.cli.scope import enter
from flaskiq.number import jobs as counted

if TYPE_CHECKING:
    from flaskiq.api import Filter


class Part(NamedTuple):
    """The jobs in one place; ``looks`` at how many before it is done, and whether they go."""

    name: str
    size: int
    looks: int
    purge: Callable[[Progress], int]
    goes: bool = True


@click.command()
@click.option(
    "--queue", "queues", multiple=True, metavar="NAME", help="Of this queue only; again for more."
)
@click.option("--in-flight", is_flag=True, help="Cancel the jobs in flight, too.")
@click.option("--dead", is_flag=True, help="Delete those of the dead set, too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def purge(
    context: click.Context, queues: tuple[str, ...], in_flight: bool, dead: bool, yes: bool
) -> None:
    """Throw away the jobs that wait.

    Those that are ready, scheduled, or waiting for another attempt; it says first how many. They
    end as cancelled ones. Jobs in flight go on, unless --in-flight cancels them: before all others,
    so that none comes back. One that runs must ask for it (current_job.is_cancelled).

    \b
    flaskiq purge
    flaskiq purge --queue low --yes
    flaskiq purge --in-flight --dead
    """
    enter(context, workers=True)
    parts = list(_parts(queues, in_flight=in_flight, dead=dead))
    going = [part for part in parts if part.goes]
    total = sum(part.size for part in going)
    if total and not yes:
        rows = [(part.name, part.size, "" if part.goes else "stays") for part in parts]
        click.echo(table(("WHERE", "JOBS", ""), rows, ""), err=True)
        confirm(f"Throw away {counted(total)}?", yes=False)
    with bar(context, "Purging", sum(part.looks for part in going)) as progress:
        purged = {part.name: part.purge(progress) for part in going}
    show(
        context,
        {"purged": purged, "total": sum(purged.values())},
        lambda: table(("WHERE", "PURGED"), list(purged.items()), ""),
    )


def _parts(names: Sequence[str], *, in_flight: bool, dead: bool) -> Iterator[Part]:
    """Yield the places in the order in which they are emptied."""
    from flaskiq.api import DeadSet, Filter, InFlight, Queue, RetrySet, ScheduledSet

    wheres = [Filter(queue=name) for name in dict.fromkeys(names)] or [Filter()]
    flying = InFlight()
    yield Part(
        "in flight",
        sum(_is_meant(wheres, job) for job in flying),
        0,
        lambda _: sum(map(flying.cancel_all, wheres)),
        in_flight,
    )
    for queue in map(queue_named, dict.fromkeys(names)) if names else Queue.all():
        size = queue.size
        yield Part(f"queue {queue.name}", size, size, partial(queue.delete_all, Filter()))
    for place, jobs, goes in (
        ("scheduled", ScheduledSet(), True),
        ("retry", RetrySet(), True),
        ("dead", DeadSet(), dead),
    ):
        size = sum(_is_meant(wheres, job) for job in jobs) if names else len(jobs)
        yield Part(place, size, len(jobs) * len(wheres), partial(_delete, jobs, wheres), goes)


def _is_meant(wheres: Sequence[Filter], job: Any) -> bool:
    return any(where.matches(job) for where in wheres)


def _delete(jobs: Any, wheres: Sequence[Filter], progress: Progress) -> int:
    return sum(jobs.delete_all(where, progress) for where in wheres)
