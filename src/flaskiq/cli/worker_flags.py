"""The flags that say how a worker runs; each is an option of ``celery worker``, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import click

POOLS = ("flaskiq", "prefork", "threads", "solo", "gevent")
LEVELS = ("debug", "info", "warning", "error", "critical", "fatal")

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_CALLED = {"processes": "concurrency"}
"""What Celery calls a flag."""

FLAGS = (
    click.option(
        "--queue",
        "--queues",
        "queues",
        multiple=True,
        metavar="NAME[=WEIGHT],...",
        help="The queues, the most urgent first; by default all of the app. With weights: each is "
        "asked first as often as its weight says.",
    ),
    click.option("--concurrency", metavar="N|auto", help="Jobs at a time; by default one per CPU."),
    click.option(
        "--processes",
        metavar="P",
        type=click.IntRange(min=1),
        help="Processes of the flaskiq pool; by default one per CPU.",
    ),
    click.option(
        "--threads",
        metavar="T",
        type=click.IntRange(min=1),
        help="Jobs at a time in each of them; by default 1, so that each job is isolated.",
    ),
    click.option(
        "--pool",
        type=click.Choice(POOLS),
        help="What runs jobs; by default flaskiq. With celery worker: worker_pool='flaskiq'.",
    ),
    click.option(
        "--prefetch-multiplier",
        metavar="N",
        type=click.IntRange(min=1),
        help="Jobs in hand for each that runs; by default 1. Above that, the order of the queues "
        "holds for each fetch only.",
    ),
    click.option(
        "--loglevel",
        type=click.Choice(LEVELS, case_sensitive=False),
        help="What is logged; by default info.",
    ),
    click.option(
        "--log-format",
        type=click.Choice(("text", "json")),
        help="The form of the log; by default text.",
    ),
    click.option(
        "--max-tasks-per-child",
        metavar="N",
        type=click.IntRange(min=1),
        help="Jobs after which a child process is replaced.",
    ),
    click.option(
        "--max-memory-per-child",
        metavar="KIB",
        type=click.IntRange(min=1),
        help="Memory in KiB after which a child process is replaced.",
    ),
    click.argument(
        "options", nargs=-1, type=click.UNPROCESSED, metavar="[OPTION OF CELERY WORKER]..."
    ),
)


def flags(function: FunctionT) -> FunctionT:
    """Add the flags to a command."""
    for flag in reversed(FLAGS):
        function = flag(function)
    return function


def words(queues: Sequence[str], options: Sequence[str], **given: Any) -> Iterator[str]:
    """Yield what was typed as options of ``celery worker``."""
    if queues:
        yield f"--queues={','.join(queues)}"
    for name, value in given.items():
        if value is not None:
            yield f"--{_CALLED.get(name, name).replace('_', '-')}={value}"
    yield from options
