"""``flaskiq demo``, from an empty folder to an empty folder."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from flaskiq.dev import broker, commands, ports
from flaskiq.dev.commands import Command
from flaskiq.dev.demo.app import DASHBOARD, SERVED
from flaskiq.dev.run import Run, until_interrupted
from flaskiq.dev.valkey import Valkey

if TYPE_CHECKING:
    from flaskiq.cli.locate import Found

APP = "flaskiq.dev.demo.app:create_app"

SETTINGS = ("BROKER_URL", "CELERY", "FLASK", "FLOWER", "RESULT_BACKEND")
"""How variables begin that say something of another app, of its broker for example."""

# Jobs fail on purpose here: what a worker says of them would push away where the page is.
OPTIONS = {
    "worker": f" --processes 4 --threads 2 --queue {','.join(SERVED)} --loglevel critical",
    "beat": " --loglevel error",
    "flower": " --logging=error",
}


def show(
    find: Callable[[str], Found], *, port: int, flower_port: int, rate: float, seconds: float
) -> int:
    """Run the demo until Ctrl-C, or for so many seconds; return the exit code, 0 for both.

    Raises:
        click.ClickException: a port is taken, or there is no Valkey that could be started.
    """
    return until_interrupted(
        partial(_show, find, port=port, flower_port=flower_port, rate=rate, seconds=seconds)
    )


def _show(
    find: Callable[[str], Found], *, port: int, flower_port: int, rate: float, seconds: float
) -> int:
    _forget_settings()
    with _folder() as folder:
        found = find(APP)
        chosen = list(_commands(rate, flower=found.state.settings["ENABLE_FLOWER"]))
        run = Run(chosen, APP, port, flower_port)
        run.check_ports()
        # On the usual port, apps of this machine would take it for their own.
        valkey = Valkey(folder / "valkey", ports.choose_free())
        with broker.embed(found.state, valkey, folder) as running:
            return run.supervise(
                running,
                title="Flaskiq shows a shop that is made up, and keeps nothing of it",
                page=f"{DASHBOARD}/",
                seconds=seconds,
            )


def _forget_settings() -> None:
    for name in [name for name in os.environ if name.startswith(SETTINGS)]:
        del os.environ[name]
    os.environ["FLASKIQ_ENV"] = "development"


@contextmanager
def _folder() -> Iterator[Path]:
    """Work in a temporary folder: what the processes write is there, and goes with it."""
    before = Path.cwd()
    with TemporaryDirectory(prefix="flaskiq-demo-") as name:
        os.chdir(name)
        try:
            yield Path(name)
        finally:
            os.chdir(before)


def _commands(rate: float, *, flower: bool) -> Iterator[Command]:
    for command in commands.usual(APP, flower=flower):
        yield Command(command.name, command.line + OPTIONS.get(command.name, ""))
    yield Command("traffic", f"{shlex.quote(sys.executable)} -m flaskiq.dev.demo --rate {rate:g}")
