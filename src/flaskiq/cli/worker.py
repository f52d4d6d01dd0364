"""``flaskiq worker``: the running programs that perform jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from flaskiq.cli.output import show
from flaskiq.cli.worker_flags import flags, words

if TYPE_CHECKING:
    from flaskiq.cli.locate import Found
    from flaskiq.cli.worker_fleet import WorkerFleet
    from flaskiq.cli.worker_launch import WorkerLaunch

STARTS_WITHIN = 60.0
"""Seconds for a worker in the background to become ready."""

GRACE = 10.0
"""Seconds for a worker to end when it waits for jobs no longer."""

NAME = click.option("--name", metavar="NAME", help="This worker only.")
TIMEOUT = click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    help=f"How long to wait; by default {GRACE:g} more than FLASKIQ_SHUTDOWN_TIMEOUT.",
)


@click.group()
def worker() -> None:
    """Start, stop and watch the programs that perform jobs."""


@worker.command(context_settings={"ignore_unknown_options": True})
@flags
@click.option("--name", metavar="NAME", help="Its name; by default a free one.")
@click.option("--detach", is_flag=True, help="Run in the background, and return once it is ready.")
@click.option("--pidfile", metavar="FILE", help="Default with --detach: in .flaskiq/workers.")
@click.option("--logfile", metavar="FILE", help="Default with --detach: in .flaskiq/workers.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    default=STARTS_WITHIN,
    show_default=True,
    type=click.FloatRange(min=0),
    help="How long --detach waits until it is ready.",
)
@click.pass_context
def start(
    context: click.Context, /, name: str | None, detach: bool, timeout: float, **given: Any
) -> None:
    """Run a worker on every queue of the app, the most urgent queue first.

    \b
    flaskiq worker start --queue critical,default --concurrency 4
    flaskiq worker start --queue critical=5,default=1
    flaskiq worker start --detach --name mail --queue low
    flaskiq worker start -P threads -E --without-gossip

    Further options of `celery worker` may follow. What is not given comes from the settings, for
    example from CELERY_WORKER_CONCURRENCY.
    """
    from flaskiq.cli.locate import locate
    from flaskiq.cli.worker_options import WorkerOptions
    from flaskiq.cli.worker_record import node_of

    found = locate(context)
    own = [*([f"--hostname={node_of(name)}"] if name else []), *(["--detach"] if detach else [])]
    options = WorkerOptions(found.state.celery, [*own, *words(**given)])
    launch = _launch(context, found)
    for note in options.notes():
        click.echo(note, err=True)
    if options.is_detached and not launch.is_own_program:
        found.state.store.client.ping()
        record = launch.in_background(options, timeout)
        facts = {name: getattr(record, name) for name in ("name", "pid", "pidfile", "logfile")}
        show(context, facts, lambda: f"{record} is ready; it logs to {record.logfile}")
    elif options.is_green and not launch.is_own_program:
        launch.in_place(options.words())
    else:
        context.exit(launch.here(options))


@worker.command()
@NAME
@TIMEOUT
@click.pass_context
def stop(context: click.Context, name: str | None, timeout: float | None) -> None:
    """Stop the workers of this app on this host, or one, and wait for their jobs.

    \b
    flaskiq worker stop
    flaskiq worker stop --name mail --timeout 60

    A job that runs longer than FLASKIQ_SHUTDOWN_TIMEOUT goes back to its queue. By its name any
    worker is stopped, on every host, and however it was started.
    """
    from flaskiq.cli.locate import locate

    found = locate(context)
    fleet = _fleet(found)
    with found.state.app.app_context():
        members = fleet.choose(name)
        fleet.stop(members, _patience(found, timeout))
    names = [member.name for member in members]
    show(context, {"stopped": names}, lambda: _sentence("Stopped", names))


@worker.command(context_settings={"ignore_unknown_options": True})
@flags
@NAME
@TIMEOUT
@click.pass_context
def restart(
    context: click.Context, /, name: str | None, timeout: float | None, **given: Any
) -> None:
    """Restart the workers of this app on this host, or one, with the flags they have.

    \b
    flaskiq worker restart
    flaskiq worker restart --name mail --concurrency 2

    Flags that are given here replace those of before. One worker after the other ends its jobs as
    with `stop`, and starts anew: in the background if it was there, else in its place. One that was
    started in another folder, or by another program, has to be restarted there.
    """
    from flaskiq.cli.locate import locate
    from flaskiq.cli.worker_options import WorkerOptions

    found = locate(context)
    celery, patience = found.state.celery, _patience(found, timeout)
    found.state.store.client.ping()
    launch, fleet = _launch(context, found), _fleet(found)
    with found.state.app.app_context():
        records = fleet.started_here(name)
        plans = [
            WorkerOptions(celery, [f"--hostname={each.name}", *each.options, *words(**given)])
            for each in records
        ]
        for record, options in zip(records, plans, strict=True):
            if record.is_detached:
                fleet.stop([record], patience)
                launch.in_background(options, STARTS_WITHIN)
            else:
                launch.ask_to_return(record, options)
                fleet.await_return(record, patience + STARTS_WITHIN)
    names = [record.name for record in records]
    show(context, {"restarted": names}, lambda: _sentence("Restarted", names))


@worker.command()
@NAME
@click.pass_context
def quiet(context: click.Context, name: str | None) -> None:
    """Let the workers of this app on this host, or one, fetch no more jobs.

    What runs goes on. A worker fetches again after `restart`; `stop` ends it.
    """
    from flaskiq.cli.locate import locate

    found = locate(context)
    fleet = _fleet(found)
    with found.state.app.app_context():
        members = fleet.choose(name)
        for member in members:
            member.quiet()
    names = [member.name for member in members]
    show(context, {"quiet": names}, lambda: _sentence("No more jobs are fetched by", names))


@worker.command()
@click.pass_context
def status(context: click.Context) -> None:
    """Show every process of the app on every host, and the queues; exit with 1 if none lives."""
    from flaskiq.cli.locate import locate
    from flaskiq.cli.worker_status import WorkerStatus

    with locate(context).state.app.app_context():
        taken = WorkerStatus.take()
    show(context, taken.document(), taken.text)
    context.exit(0 if taken.processes else 1)


def _launch(context: click.Context, found: Found) -> WorkerLaunch:
    from flaskiq.cli.locate import named
    from flaskiq.cli.worker_launch import WorkerLaunch
    from flaskiq.cli.worker_record import Records

    return WorkerLaunch(named(context), Records(found.state.app.import_name))


def _fleet(found: Found) -> WorkerFleet:
    from flaskiq.cli.worker_fleet import WorkerFleet
    from flaskiq.cli.worker_record import Records

    return WorkerFleet(Records(found.state.app.import_name))


def _patience(found: Found, timeout: float | None) -> float:
    if timeout is not None:
        return timeout
    options = found.state.celery.conf.broker_transport_options
    return float(options["shutdown_timeout"]) + GRACE


def _sentence(what: str, names: Sequence[str]) -> str:
    return f"{what} {', '.join(names)}." if names else "No worker of this app runs on this host."
