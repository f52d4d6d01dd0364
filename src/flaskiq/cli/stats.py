"""``flaskiq stats``: how many jobs, how many failed, how long they take."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from flaskiq.cli.output import show, table
from flaskiq.cli.scope import enter
from flaskiq.number import duration

if TYPE_CHECKING:
    from flaskiq.api import Times

PRESENT = ("enqueued", "busy", "scheduled", "retries", "dead")
"""What there is now."""


@click.command()
@click.option(
    "--minutes",
    default=60,
    show_default=True,
    type=click.IntRange(1, 480),
    help="Of how many minutes to show the Workers; eight hours are kept.",
)
@click.option(
    "--days",
    default=7,
    show_default=True,
    type=click.IntRange(1, 400),
    help="How many days to show (UTC).",
)
@click.pass_context
def stats(context: click.Context, minutes: int, days: int) -> None:
    """Show totals, the last days and each Worker.

    Every attempt counts as processed, a failed one too. Counts are up to a second old.

    \b
    flaskiq stats
    flaskiq stats --minutes 480 --days 30
    """
    enter(context)
    from flaskiq.api import Stats, cron_leader
    from flaskiq.cli.cron import leadership

    found = Stats()
    document = {
        "processed": found.processed,
        "failed": found.failed,
        "endings": found.endings,
        **{name: getattr(found, name) for name in PRESENT},
        "scheduler": leadership(cron_leader()),
        "days": [
            {"day": str(day), "processed": processed, "failed": failed}
            for day, (processed, failed) in found.days(days).items()
        ],
        "minutes": minutes,
        "workers": [_document(each) for each in found.workers(minutes)],
    }
    show(context, document, lambda: _text(document))


def _document(times: Times) -> dict[str, Any]:
    counts = {"processed": times.processed, "failed": times.failed}
    return {**asdict(times), **counts}


def _text(found: dict[str, Any]) -> str:
    names = ("processed", "failed", *PRESENT)
    parts = [
        table([name.upper() for name in names], [[found[name] for name in names]], ""),
        table(
            ("DAY (UTC)", "PROCESSED", "FAILED"),
            [(each["day"], each["processed"], each["failed"]) for each in found["days"]],
            "",
        ),
        table(
            ("WORKER", "PROCESSED", "FAILED", "MEAN", "P50", "P95", "P99"),
            [
                [
                    each["name"],
                    each["processed"],
                    each["failed"],
                    *(duration(each[name]) for name in ("mean", "p50", "p95", "p99")),
                ]
                for each in found["workers"]
            ],
            f"No job ended in the last {found['minutes']} minutes. "
            "Is a worker there? flaskiq processes",
        ),
    ]
    return "\n\n".join(parts)
