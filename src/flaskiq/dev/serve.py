"""``flaskiq dev``, from the checks to the end of the last process."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask

from flaskiq.dev import broker, commands
from flaskiq.dev.commands import Command
from flaskiq.dev.run import Run, until_interrupted

if TYPE_CHECKING:
    from flaskiq.cli.locate import Found

FOLDER = Path(".flaskiq")


def serve(
    locate: Callable[[], Found],
    *,
    port: int,
    flower_port: int,
    only: Sequence[str],
    reload: bool,
    procfile: Path | None,
) -> int:
    """Run the processes of the located app until Ctrl-C; return the exit code, 0 for Ctrl-C.

    Raises:
        click.ClickException: a port is taken, there is no broker, or there is no app.
    """
    return until_interrupted(
        partial(
            _serve,
            locate,
            port=port,
            flower_port=flower_port,
            only=only,
            reload=reload,
            procfile=procfile,
        )
    )


def _serve(
    locate: Callable[[], Found],
    *,
    port: int,
    flower_port: int,
    only: Sequence[str],
    reload: bool,
    procfile: Path | None,
) -> int:
    """The app is loaded here, because it must see that this is development."""
    os.environ["FLASKIQ_ENV"] = "development"
    found = locate()
    flower = found.state.settings["ENABLE_FLOWER"] or commands.FLOWER in only
    chosen = commands.choose(_commands(found, procfile, flower=flower), only, flower=flower)
    run = Run(chosen, found.spec, port, flower_port)
    run.check_ports()
    _make_folder()
    with broker.provide(found.state, FOLDER / "valkey") as running:
        return run.supervise(running, title=f"Flaskiq runs {found.spec}", reload=reload)


def _commands(found: Found, procfile: Path | None, *, flower: bool) -> list[Command]:
    if procfile is None and Path("Procfile").is_file():
        procfile = Path("Procfile")
    if procfile:
        return commands.read(procfile)
    spec = found.spec if isinstance(found.value, Flask) else "flaskiq.cli.backend"
    return commands.usual(spec, flower=flower)


def _make_folder() -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / ".gitignore").write_text("*\n")
