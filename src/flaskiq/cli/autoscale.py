"""``flaskiq autoscale``: how many workers are needed, for a scaler or as a command."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from typing import TYPE_CHECKING

import click

from flaskiq.cli.output import facts, show
from flaskiq.cli.scope import enter
from flaskiq.number import jobs as counted

if TYPE_CHECKING:
    from flaskiq.api import Demand

NUMBER = "{}"
"""What stands for the number in a command."""


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--min", "least", default=1, show_default=True, type=click.IntRange(0))
@click.option("--max", "most", default=10, show_default=True, type=click.IntRange(1))
@click.option(
    "--backlog",
    default=100,
    show_default=True,
    type=click.IntRange(1),
    help="Jobs that may wait for each worker.",
)
@click.option(
    "--latency",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Seconds for which a job may wait.",
)
@click.option("--queue", "queues", multiple=True, help="Look at these only; by default at all.")
@click.option(
    "--cool-down",
    default=300.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Seconds for which a number is kept after it was needed.",
)
@click.option("--group", default="default", show_default=True, help="Whose number is kept.")
@click.option(
    "--every",
    default=15.0,
    show_default=True,
    type=click.FloatRange(0.1),
    help="Seconds between two looks, with a COMMAND.",
)
@click.option("--print", "once", is_flag=True, help="Look once, and print JSON.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def autoscale(
    context: click.Context,
    least: int,
    most: int,
    backlog: int,
    latency: float,
    queues: tuple[str, ...],
    cool_down: float,
    group: str,
    every: float,
    once: bool,
    command: tuple[str, ...],
) -> None:
    """Tell how many workers are needed for what waits.

    With a COMMAND it looks on and on, and runs it whenever the number has changed; {} in it is the
    number.

    \b
    flaskiq autoscale --print
    flaskiq autoscale --min 2 --max 8 -- flaskiq worker restart --concurrency {}
    flaskiq autoscale -- kubectl scale deployment shop-worker-deployment --replicas={}
    """  # fmt: skip
    enter(context)
    from flaskiq.api import Target, demand
    from flaskiq.errors import ArgumentError

    if command and not any(NUMBER in part for part in command):
        raise click.UsageError(f"{shlex.join(command)} has no {NUMBER} for the number of workers.")
    try:
        target = Target(least=least, most=most, backlog=backlog, latency=latency)

        def look() -> Demand:
            return demand(target, queues, cool_down=cool_down, group=group)

        found = look()
        if once:
            click.echo(json.dumps(found._asdict()))
            return
        if not command:
            show(context, found._asdict(), lambda: _text(found))
            return
        last: int | None = None
        while True:
            if found.workers != last and _run(command, found):
                last = found.workers
            time.sleep(every)
            found = look()
    except ArgumentError as error:
        raise click.UsageError(str(error)) from None


def _run(command: tuple[str, ...], found: Demand) -> bool:
    """Run the command; what fails is tried again with the next look."""
    words = [part.replace(NUMBER, str(found.workers)) for part in command]
    click.echo(f"{found.workers} workers ({found.reason}): {shlex.join(words)}")
    code = subprocess.call(words)  # noqa: S603 - what the user has typed
    if code:
        click.echo(f"It has ended with {code}; it is tried again.", err=True)
    return code == 0


def _text(found: Demand) -> str:
    return facts(
        [
            ("workers", found.workers),
            ("why", found.reason),
            ("running", found.running),
            ("waiting", f"{counted(found.jobs)}, the oldest for {found.latency:.0f} s"),
        ]
    )
