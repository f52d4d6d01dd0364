"""The command line of the benchmarks."""

from __future__ import annotations

import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from benchmarks.contestant import IDLE, WORKLOADS, Contestant, select
from benchmarks.contestants import CONTESTANTS

PACKAGES = ("flaskiq", "celery", "kombu", "redis", "hiredis", "dramatiq")

MISSING = "psutil is not installed; run: pip install -r benchmarks/requirements.txt"


def _split(_context: click.Context, _parameter: click.Parameter, value: str | None) -> list[str]:
    return [part.strip() for part in (value or "").split(",") if part.strip()]


def _known(context: click.Context, parameter: click.Parameter, value: str | None) -> list[str]:
    names = _split(context, parameter, value)
    for name in names:
        if name not in WORKLOADS:
            raise click.BadParameter(f"{name!r} is none of {', '.join(WORKLOADS)}")
    return names


@click.command()
@click.option("--only", metavar="GLOB,..", callback=_split, help="Contestants, or their families.")
@click.option("--workload", metavar="NAME,..", callback=_known, help=f"Of {', '.join(WORKLOADS)}.")
@click.option("--rounds", type=click.IntRange(1), help="How often; 3, and 1 with --quick.")
@click.option("--quick", is_flag=True, help="Few jobs and the main contestants; for a first look.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the rows there, too.")
@click.option("--list", "listing", is_flag=True, help="Tell the contestants and their settings.")
def main(
    only: list[str],
    workload: list[str],
    rounds: int | None,
    quick: bool,
    file: Path | None,
    listing: bool,
) -> None:
    """Measure Flaskiq beside stock Celery and Dramatiq. How to read it: benchmarks/README.md."""
    chosen = _chosen(only, quick)
    if not chosen:
        raise click.BadParameter(f"no contestant is called {', '.join(only)}; see --list")
    if listing:
        for each in chosen:
            click.echo(f"{each.name:25} {each.note}")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    workloads = workload or [name for name in WORKLOADS if name != IDLE or not quick]
    sys.exit(_measure(_installed(chosen), workloads, rounds or (1 if quick else 3), quick, file))


def _chosen(only: list[str], quick: bool) -> list[Contestant]:
    if only:
        return select(CONTESTANTS, only)
    if quick:
        return [replace(each, workloads=each.quick) for each in CONTESTANTS if each.quick]
    return list(CONTESTANTS)


def _installed(chosen: Sequence[Contestant]) -> list[Contestant]:
    for each in chosen:
        if each.missing():
            click.echo(f"left out: {each.name}, {', '.join(each.missing())} is not installed")
    return [each for each in chosen if not each.missing()]


def _measure(
    chosen: Sequence[Contestant],
    workloads: Sequence[str],
    rounds: int,
    quick: bool,
    file: Path | None,
) -> int:
    try:
        from benchmarks import report
        from benchmarks.bench import Bench
        from benchmarks.runner import Runner
        from benchmarks.server import Server
        from benchmarks.table import table
    except ModuleNotFoundError as error:
        if error.name != "psutil":
            raise
        raise click.ClickException(MISSING) from None
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        about = _about(server.version, rounds)
        click.echo(about)
        bench = Bench(server, Path(folder), quick)
        runner = Runner(bench, chosen, frozenset(workloads), rounds, click.echo)
        runner.run()
    rows = report.rows(runner.samples, chosen)
    click.echo(table(rows))
    if file:
        found = {"about": about, "rows": [row.to_json() for row in rows]}
        file.write_text(json.dumps(found, indent=1) + "\n")
    for failure in runner.failures:
        click.echo(f"\nFAILED {failure}")
    return 1 if runner.failures else 0


def _about(server: str, rounds: int) -> str:
    """One line: what is measured, and on what."""
    versions = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    machine = f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.system()}"
    return f"{versions}; {server}; {machine}; {rounds} round{'s' * (rounds > 1)}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


main(prog_name="python -m benchmarks")
