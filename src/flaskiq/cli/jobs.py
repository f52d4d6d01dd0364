"""``flaskiq jobs``: single jobs, wherever they are."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from flaskiq.cli.job_text import describe, document
from flaskiq.cli.moment import one_of, when
from flaskiq.cli.output import is_json, show, table
from flaskiq.cli.scope import enter
from flaskiq.cli.worker_call import ARGS, KWARGS, worker_named
from flaskiq.number import ago

if TYPE_CHECKING:
    from flaskiq.cli.job_wait import Outcome
    from flaskiq.setter import CallOptions

ID = click.argument("job_id", metavar="ID")

RUNNING = ("ID", "WORKER", "QUEUE", "ATTEMPT", "FOR", "PROCESS")


@click.group()
def jobs() -> None:
    """Run, find, await and cancel jobs.

    \b
    id=$(flaskiq jobs run Import --args '["a.csv"]')
    flaskiq jobs find $id
    flaskiq jobs wait $id --timeout 60
    """


@jobs.command()
@ID
@click.pass_context
def find(context: click.Context, job_id: str) -> None:
    """Show what has become of a job: where it is, since when, and why.

    Exit code 1 if it is nowhere. Jobs that have finished are remembered for a while
    (FLASKIQ_HISTORY_JOBS, FLASKIQ_HISTORY_AGE).

    \b
    flaskiq jobs find ID
    """
    enter(context)
    from flaskiq import api

    job = api.find(job_id)
    is_known = job.state not in (api.State.UNKNOWN, api.State.QUEUED_OR_UNKNOWN)
    show(context, document(job), lambda: describe(job))
    context.exit(0 if is_known else 1)


@jobs.command()
@click.argument("worker")
@click.option("--args", "args", type=ARGS, default="[]", metavar="JSON", help="Such as '[1, 2]'.")
@click.option(
    "--kwargs", "kwargs", type=KWARGS, default="{}", metavar="JSON", help="""Such as '{"n": 1}'."""
)
@click.option("--queue", metavar="NAME", help="Another queue than that of the Worker.")
@when
@click.pass_context
def run(
    context: click.Context,
    worker: str,
    args: list[Any],
    kwargs: dict[str, Any],
    queue: str | None,
    delay: timedelta | None,
    at: datetime | None,
) -> None:
    """Enqueue a job of a Worker, and print its id.

    WORKER is its whole name, or the last part if only one has it.

    \b
    flaskiq jobs run Import --args '["a.csv"]' --kwargs '{"limit": 10}'
    flaskiq jobs run shop.jobs.Import --args '["a.csv"]' --queue low --in 5m
    """
    from flaskiq.errors import ArgumentError

    due = one_of(delay, at)
    state = enter(context, workers=True)
    called = worker_named(state.registry, state, worker)
    options: CallOptions = {}
    if queue is not None:
        options["queue"] = queue
    if due is not None:
        options["at"] = due
    try:
        job = called.set(**options).perform_async(*args, **kwargs)
    except ArgumentError as error:
        raise click.UsageError(f"{error}") from None
    show(context, {"id": job.id, "worker": called.task_name()}, lambda: str(job.id))


@jobs.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.pass_context
def cancel(context: click.Context, ids: tuple[str, ...]) -> None:
    """Let jobs never run, even after restarts.

    One that waits is taken out, one that is ready is skipped when its turn comes, one that runs can
    ask for it (current_job.is_cancelled). Exit code 1 if one was over already, or nowhere.

    \b
    flaskiq jobs cancel ID
    """
    enter(context, workers=True)
    from flaskiq import api

    were = {job_id: str(api.cancel(job_id).state) for job_id in ids}
    late = [job_id for job_id, state in were.items() if state not in _CANCELLED]
    lines = [f"{job_id} {_CANCELLED.get(state) or _late(state)}" for job_id, state in were.items()]
    show(context, {"were": were}, lambda: "\n".join(lines))
    context.exit(1 if late else 0)


_CANCELLED = {
    "scheduled": "was scheduled; it will not run.",
    "retrying": "waited for another attempt; there will be none.",
    "queued": "was ready; it will be skipped.",
    "running": "runs, and has been told; it will have no other attempt.",
    "cancelled": "was cancelled before.",
}


def _late(state: str) -> str:
    if state.endswith("unknown"):
        return "was not found; should it turn up within a day, it will not run."
    return f"is {state} already."


@jobs.command("wait")
@ID
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="By default as long as it takes.",
)
@click.pass_context
def wait_(context: click.Context, job_id: str, timeout: float | None) -> None:
    """Wait until a job has ended, and print its result.

    Exit code 0 if it is done, 1 otherwise: dead, cancelled, unknown, or not over in time.

    \b
    flaskiq jobs wait ID --timeout 60
    """
    state = enter(context)
    from flaskiq.cli.job_wait import wait

    outcome = wait(state.celery, job_id, timeout)
    if outcome.is_done:
        show(context, outcome.as_dict(), outcome.result_text)
        return
    if is_json(context):
        show(context, outcome.as_dict(), str)
    else:
        click.echo(_undone(outcome, timeout), err=True)
    context.exit(1)


def _undone(outcome: Outcome, timeout: float | None) -> str:
    job = outcome.job
    if outcome.is_over or job.state == "unknown":
        return describe(job)
    return f"{describe(job)}\n\nNot over after {ago(timeout)}."


@jobs.command()
@click.pass_context
def running(context: click.Context) -> None:
    """List the jobs that run, the longest running first. Up to a second old.

    \b
    flaskiq jobs running
    """
    enter(context)
    from flaskiq import api

    found = api.running()
    now = time.time()
    rows = [
        (each.id, each.worker, each.queue, each.attempt, ago(now - each.since), each.process)
        for each in found
    ]
    empty = "No jobs run. Is a worker there? flaskiq processes"
    show(
        context,
        {"jobs": [asdict(each) for each in found]},
        lambda: table(RUNNING, rows, empty),
    )
