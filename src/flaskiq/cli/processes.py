"""``flaskiq processes``: who fetches jobs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from flaskiq.cli.output import show, table
from flaskiq.cli.scope import enter
from flaskiq.number import ago, size

if TYPE_CHECKING:
    from flaskiq.api import Process

HEADER = ("IDENTITY", "NODE", "PID", "POOL", "QUEUES", "BUSY", "OF", "RSS", "CPU %", "UP", "QUIET")

IDENTITIES = click.argument("identities", metavar="IDENTITY...", nargs=-1, required=True)


@click.group(invoke_without_command=True)
@click.pass_context
def processes(context: click.Context) -> None:
    """List and steer the processes that fetch jobs.

    On every host; the figures are up to a heartbeat old.

    \b
    flaskiq processes
    flaskiq processes quiet IDENTITY
    flaskiq processes stop IDENTITY
    """
    if context.invoked_subcommand is not None:
        return
    enter(context)
    from flaskiq.api import ProcessSet

    found = sorted(ProcessSet(), key=lambda each: (each.node, each.identity))
    document = [{**asdict(each), "busy": each.busy} for each in found]
    show(context, {"processes": document}, lambda: _text(found))


@processes.command()
@IDENTITIES
@click.pass_context
def quiet(context: click.Context, identities: tuple[str, ...]) -> None:
    """Tell processes to fetch no more jobs; what runs goes on.

    \b
    flaskiq processes quiet IDENTITY
    """
    _tell(context, identities, "fetches no more jobs", lambda process: process.quiet())


@processes.command()
@IDENTITIES
@click.pass_context
def stop(context: click.Context, identities: tuple[str, ...]) -> None:
    """Tell processes to end when their jobs have.

    They do what they do on the signal TERM.

    \b
    flaskiq processes stop IDENTITY
    """
    _tell(context, identities, "ends when its jobs have", lambda process: process.stop())


def _tell(
    context: click.Context,
    identities: tuple[str, ...],
    what: str,
    tell: Callable[[Process], bool],
) -> None:
    enter(context)
    from flaskiq.api import ProcessSet

    living = {each.identity: each for each in ProcessSet()}
    unknown = [identity for identity in identities if identity not in living]
    if unknown:
        raise click.ClickException(
            f"No process {', '.join(unknown)} lives; `flaskiq processes` lists those that do."
        )
    told = [identity for identity in identities if tell(living[identity])]
    silent = [identity for identity in identities if identity not in told]
    lines = [f"{identity} {what}." for identity in told]
    lines += [f"{identity} did not answer." for identity in silent]
    show(context, {"told": told, "silent": silent}, lambda: "\n".join(lines))
    context.exit(1 if silent else 0)


def _text(found: list[Process]) -> str:
    now = time.time()
    rows = [
        [
            each.identity,
            each.node,
            str(each.pid),
            each.pool,
            ",".join(each.queues) or "-",
            each.busy,
            each.concurrency,
            size(each.rss),
            each.cpu,
            ago(now - each.started_at),
            "quiet" if each.is_quiet else "",
        ]
        for each in found
    ]
    return table(HEADER, rows, "No process fetches jobs. Start a worker: flaskiq worker start")
