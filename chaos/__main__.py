"""``python -m chaos``: see ``--help``."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import click

from chaos import ledger, report
from chaos.contestants import CONTESTANTS
from chaos.faults import KINDS
from chaos.injector import MOST_TRAPPED
from chaos.run import PROBES, Plan, Run

LONG, SHORT = (20_000, 60), (3_000, 18)


def _split(_context: click.Context, _parameter: click.Parameter, value: str) -> list[str]:
    kinds = value.split(",")
    if unknown := set(kinds) - set(KINDS):
        raise click.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(KINDS)}")
    return kinds


@click.command()
@click.option("--jobs", type=click.IntRange(1), help=f"How many jobs.  [default: {LONG[0]}]")
@click.option("--faults", type=click.IntRange(0), help=f"How many faults.  [default: {LONG[1]}]")
@click.option("--short", is_flag=True, help=f"{SHORT[0]} jobs and {SHORT[1]} faults.")
@click.option("--kinds", default=",".join(KINDS), callback=_split, show_default=True)
@click.option("--seed", default=1, show_default=True, help="Decides the jobs and the faults.")
@click.option(
    "--contestant", type=click.Choice(list(CONTESTANTS)), default="flaskiq", show_default=True
)
@click.option("--ttl", default=3, show_default=True, help="Seconds that a heartbeat lasts.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the numbers here.")
def main(
    jobs: int | None,
    faults: int | None,
    short: bool,
    kinds: list[str],
    seed: int,
    contestant: str,
    ttl: int,
    file: Path | None,
) -> None:
    """Run jobs under faults; exit with 1 if one was lost, got stuck or ran twice without reason."""
    usual_jobs, usual_faults = SHORT if short else LONG
    jobs = usual_jobs if jobs is None else jobs
    faults = usual_faults if faults is None else faults
    if jobs < (needed := PROBES + MOST_TRAPPED * faults):
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
