"""``flaskiq queues``: ready jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from flaskiq.cli.act import DELETE, Act, confirm
from flaskiq.cli.job_list import JobList, limit
from flaskiq.cli.output import show, table
from flaskiq.cli.scope import enter
from flaskiq.cli.selection import Selection, filters, selects
from flaskiq.number import ago
from flaskiq.number import jobs as counted

if TYPE_CHECKING:
    from flaskiq.api import Filter, Queue

HEADER = ("QUEUE", "SIZE", "LATENCY", "PAUSED", "SERVED BY")

NAME = click.argument("name")


@click.group(invoke_without_command=True)
@click.pass_context
def queues(context: click.Context) -> None:
    """List and steer the queues.

    SIZE is how many jobs are ready, LATENCY for how long the oldest of them has been ready.

    \b
    flaskiq queues
    flaskiq queues show low
    flaskiq queues pause low
    flaskiq queues delete low --worker Import
    """
    if context.invoked_subcommand is None:
        enter(context)
        found = _survey()
        show(context, {"queues": found}, lambda: _text(found))


@queues.command("show")
@NAME
@filters("worker", "argument")
@limit
@click.pass_context
def show_(context: click.Context, name: str, where: Filter, limit: int) -> None:
    """Show the ready jobs of a queue, the newest first.

    \b
    flaskiq queues show low
    flaskiq queues show low --worker Import --limit 100
    """
    enter(context)
    queue = queue_named(name)
    columns = ("ID", "WORKER", "AGE", "ATTEMPT", "ARGUMENTS")
    empty = f"No jobs are ready in queue {name}. Those that run: flaskiq jobs running"
    JobList(f"queue {name}", columns, empty).show(context, queue, len(queue), where, limit)


@queues.command()
@NAME
@click.pass_context
def pause(context: click.Context, name: str) -> None:
    """Let no worker fetch from a queue until it is unpaused.

    Restarts do not matter. Workers learn of it within a third of FLASKIQ_HEARTBEAT_TTL. Jobs that
    run go on.

    \b
    flaskiq queues pause low
    """
    enter(context)
    queue = queue_named(name)
    queue.pause()
    text = f"Queue {name} is paused; `flaskiq queues unpause {name}` lets workers fetch again."
    show(context, {"name": name, "paused": True}, lambda: text)


@queues.command()
@NAME
@click.pass_context
def unpause(context: click.Context, name: str) -> None:
    """Let workers fetch from a queue again.

    \b
    flaskiq queues unpause low
    """
    enter(context)
    queue_named(name).unpause()
    show(context, {"name": name, "paused": False}, lambda: f"Queue {name} is not paused.")


@queues.command()
@NAME
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def clear(context: click.Context, name: str, yes: bool) -> None:
    """Delete all ready jobs of a queue at once, however many there are.

    Nobody is told: whoever waits for one of these jobs waits in vain. `flaskiq queues delete NAME
    --all` takes longer, and records each of them as cancelled.

    \b
    flaskiq queues clear low
    """
    enter(context)
    queue = queue_named(name)
    size = queue.size
    if size:
        confirm(f"Delete {counted(size)} of queue {name}, and tell nobody?", yes=yes)
    deleted = queue.clear()
    text = f"Deleted {counted(deleted)} of queue {name}."
    show(context, {"name": name, "deleted": deleted}, lambda: text)


@queues.command()
@NAME
@selects("worker", "argument")
@click.pass_context
def delete(context: click.Context, name: str, selection: Selection, yes: bool) -> None:
    """Delete ready jobs of a queue: they end as cancelled ones.

    \b
    flaskiq queues delete low ID
    flaskiq queues delete low --worker Import --argument '"/tmp/a.csv"'
    flaskiq queues delete low --all --yes
    """
    enter(context, workers=True)
    queue = queue_named(name)
    act = Act(DELETE, f"queue {name}", queue, queue.delete, queue.delete_all)
    act.carry_out(context, selection, yes=yes)


def queue_named(name: str) -> Queue:
    """Return a queue that is known, has jobs or is paused: any other is a slip of the pen."""
    from flaskiq.api import Queue
    from flaskiq.errors import did_you_mean

    queue, known = Queue(name), [each.name for each in Queue.all()]
    if name in known or queue.size or queue.is_paused:
        return queue
    raise click.UsageError(
        f"There is no queue {name!r}{did_you_mean(name, known)} The queues: {', '.join(known)}."
    )


def _survey() -> list[dict[str, Any]]:
    from flaskiq import api

    return [
        {
            "name": each.name,
            "size": each.size,
            "latency": each.latency,
            "paused": each.is_paused,
            "processes": list(each.processes),
        }
        for each in api.queues()
    ]


def _text(found: list[dict[str, Any]]) -> str:
    from flaskiq.api import ProcessSet

    nodes = {each.identity: each.node for each in ProcessSet()}
    rows = [
        [
            each["name"],
            each["size"],
            ago(each["latency"]),
            "paused" if each["paused"] else "",
            ", ".join(sorted({nodes.get(process, process) for process in each["processes"]}))
            or "nobody",
        ]
        for each in found
    ]
    return table(HEADER, rows, "The app has no queues; name some in FLASKIQ_QUEUES.")
