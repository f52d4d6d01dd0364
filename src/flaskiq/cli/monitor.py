"""``flaskiq monitor``: what goes in and out, live."""

from __future__ import annotations

import sys
import time
from collections import deque
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from flaskiq.cli.output import is_json, show, table
from flaskiq.cli.scope import enter
from flaskiq.number import ago, decimal, duration

if TYPE_CHECKING:
    from flaskiq.api import Look

WINDOW = 10.0
"""Seconds of which the rates are, once it has run for so long: counts come once a second."""

HEADER = ("BACKLOG", "BUSY", "IN/S", "DONE/S", "FAIL/S", "LATENCY", "WAIT", "P50", "P95")


@click.command()
@click.option(
    "--interval",
    default=2.0,
    show_default=True,
    type=click.FloatRange(min=0.1),
    help="Seconds from one look to the next.",
)
@click.option("--once", is_flag=True, help="Look twice, an interval apart, print that, and end.")
@click.pass_context
def monitor(context: click.Context, interval: float, once: bool) -> None:
    """Watch every queue and Worker until Ctrl-C.

    \b
    BACKLOG  ready jobs; ~ is an estimate, where there are more than 10,000
    BUSY     jobs that run
    IN/S     jobs that became ready; DONE/S and FAIL/S: attempts that ended so
    LATENCY  for how long the oldest ready job has been ready
    WAIT     how long a new one waits, if all goes on like this
    P50 P95  run times of the last five minutes

    \b
    flaskiq monitor
    flaskiq monitor --interval 5
    flaskiq monitor --once --json
    """
    if is_json(context) and not once:
        raise click.UsageError("--json is one document: add --once.")
    enter(context)
    from flaskiq.api import Look

    looks = deque([Look.now()])
    if once:
        time.sleep(interval)
        document = _measure(looks[0], Look.now())
        return show(context, document, lambda: _text(document))
    while True:
        time.sleep(interval)
        looks.append(Look.now())
        while len(looks) > 2 and looks[-1].at - looks[1].at >= WINDOW:
            looks.popleft()
        _draw(_text(_measure(looks[0], looks[-1])))


def _measure(before: Look, after: Look) -> dict[str, Any]:
    from flaskiq.api import flows

    return {
        "at": after.at,
        "seconds": after.at - before.at,
        "queues": [asdict(each) for each in flows("queue", before, after)],
        "workers": [asdict(each) for each in flows("worker", before, after)],
    }


def _text(found: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(found["at"]).astimezone()
    return "\n\n".join(
        [
            f"{at:%H:%M:%S}, rates of the last {ago(found['seconds'])}",
            table(("QUEUE", *HEADER), map(_row, found["queues"]), "The app has no queues."),
            table(
                ("WORKER", *HEADER),
                map(_row, found["workers"]),
                "No Worker has jobs that wait or run, and none ended lately.",
            ),
        ]
    )


def _row(flow: dict[str, Any]) -> list[Any]:
    return [
        flow["name"],
        f"{'' if flow['is_exact'] else '~'}{flow['backlog']:,}",
        flow["running"],
        *(decimal(flow[name]) for name in ("enters", "done", "fails")),
        ago(flow["latency"]),
        ago(flow["wait"]),
        duration(flow["p50"]),
        duration(flow["p95"]),
    ]


def _draw(text: str) -> None:
    """Show a measurement in place of the last one; in a pipe, below it."""
    if sys.stdout.isatty():
        click.clear()
        click.echo(text)
    else:
        click.echo(f"{text}\n")
