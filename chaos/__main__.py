"""``python -m chaos``: see ``--help``."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from chaos import ledger, report
from chaos.contestants import CONTESTANTS
from chaos.faults import KINDS
from chaos.injector import MOST_TRAPPED
from chaos.run import Plan, Run, probes

LONG, SHORT = 20_000, 3_000
OF_EACH_KIND = 10
"""Faults of a long run."""
SHORT_FAULTS = 18


def _split(context: click.Context, _parameter: click.Parameter, value: str | None) -> Sequence[str]:
    known = CONTESTANTS[context.params["contestant"]].kinds
    kinds = value.split(",") if value else known
    if unknown := set(kinds) - set(known):
        raise click.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(known)}")
    return kinds


@click.command()
@click.option("--jobs", type=click.IntRange(1), help=f"How many jobs.  [default: {LONG}]")
@click.option(
    "--faults", type=click.IntRange(0), help=f"How many.  [default: {OF_EACH_KIND} of each kind]"
)
@click.option("--short", is_flag=True, help=f"{SHORT} jobs and {SHORT_FAULTS} faults.")
@click.option("--kinds", callback=_split, help=f"Some of {', '.join(KINDS)}.  [default: all]")
@click.option("--seed", default=1, show_default=True, help="Decides the jobs and the faults.")
@click.option(
    "--contestant",
    type=click.Choice(list(CONTESTANTS)),
    default="flaskiq",
    show_default=True,
    is_eager=True,
    help="Flaskiq in its own pool, or in Celery's pools; or who must lose jobs.",
)
@click.option("--ttl", default=3, show_default=True, help="Seconds that a heartbeat lasts.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the numbers here.")
def main(
    jobs: int | None,
    faults: int | None,
    short: bool,
    kinds: Sequence[str],
    seed: int,
    contestant: str,
    ttl: int,
    file: Path | None,
) -> None:
    """Run jobs under faults; exit with 1 if one was lost, got stuck or ran twice without reason."""
    jobs = jobs or (SHORT if short else LONG)
    if faults is None:
        faults = SHORT_FAULTS if short else OF_EACH_KIND * len(kinds)
    if jobs < (needed := probes(CONTESTANTS[contestant]) + MOST_TRAPPED * faults):
        raise click.UsageError(f"{faults} faults need at least {needed} jobs")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ending what has been started
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    click.echo(f"contestant {contestant}, seed {seed}; ledgers and logs in {folder}")
    account = Run(Plan(contestant, jobs, faults, kinds, seed, ttl), folder)()
    for line in report.lines(account, ledger.read(folder)):
        click.echo(line)
    if file:
        numbers = {"contestant": contestant, "seed": seed, **account.numbers()}
        details = {
            "stuck": account.stuck,
            "buried": len(account.buried),
            "poisoned": len(account.poisoned),
            "complaints": account.complaints,
            "hits": account.hits,
            "explained": account.duplicates,
        }
        file.write_text(json.dumps({**numbers, **details}, indent=2) + "\n")
    if account.clean:
        shutil.rmtree(folder)
    click.echo(account)
    sys.exit(not account.clean)


if __name__ == "__main__":
    main()
