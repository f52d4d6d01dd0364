"""What enqueueing costs in the modes of ``flaskiq.testing``, beside a real enqueue.

    .venv/bin/python -m benchmarks.testing

The same jobs are enqueued in turn by ``real`` (without a worker) and by ``fake``, so both meet the
same noise; of each the median of its rounds is told. Ends with 1 if ``fake`` costs a third of a
real enqueue or more.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from contextlib import AbstractContextManager

import click
from flask import Flask

from flaskiq import Flaskiq, Worker
from flaskiq.testing import drain, fake, real

MOST = 1 / 3
"""Of what a real enqueue costs."""


class Welcome(Worker):
    """A Worker with the usual arguments."""

    @classmethod
    def perform(cls, user_id: int, name: str) -> None: ...


@click.command()
@click.option("--jobs", default=2_000, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=15, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="Write the figures as JSON.")
def main(jobs: int, rounds: int, as_json: bool) -> None:
    """Measure one enqueue in each mode, and one job in a drain of fake."""
    app = Flask("benchmark")
    app.config["CELERY_BROKER_URL"] = "redis://127.0.0.1:1/0"
    Flaskiq(app)
    times: dict[str, list[float]] = {"real": [], "fake": [], "drain": []}
    with app.app_context():
        for _ in range(rounds):
            times["real"].append(_enqueue(real(worker=False), jobs))
            times["fake"].append(_enqueue(fake(), jobs))
            times["drain"].append(_drain(jobs))
    found = {name: statistics.median(each) for name, each in times.items()}
    ratio = found["fake"] / found["real"]
    if as_json:
        click.echo(json.dumps({**found, "ratio": ratio}))
    else:
        click.echo("| | µs |\n|---|---|")
        click.echo(f"| `perform_async`, real | {found['real']:.0f} |")
        click.echo(f"| `perform_async`, fake | {found['fake']:.0f} ({ratio:.2f} of it) |")
        click.echo(f"| a job in `drain()`, fake | {found['drain']:.0f} |")
    sys.exit(ratio >= MOST)


def _enqueue(mode: AbstractContextManager[object], jobs: int) -> float:
    with mode:
        Welcome.perform_async(0, "warm up")
        start = time.perf_counter()
        for number in range(jobs):
            Welcome.perform_async(number, "Ada")
        return (time.perf_counter() - start) / jobs * 1e6


def _drain(jobs: int) -> float:
    with fake():
        Welcome.perform_bulk([(number, "Ada") for number in range(jobs)])
        start = time.perf_counter()
        drain()
        return (time.perf_counter() - start) / jobs * 1e6


if __name__ == "__main__":
    main()
