"""Which processes ``flaskiq dev`` runs: those of a Procfile, or the usual four."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import click
from honcho.environ import parse_procfile

from flaskiq.errors import did_you_mean

RUNS_OUR_CODE = {"flask", "worker", "beat"}
FLOWER = "flower"
SHELL_SYNTAX = re.compile(r"[;&|<>()`]")


@dataclass(frozen=True)
class Command:
    """One line of a Procfile: a name, and what the shell runs under it."""

    name: str
    line: str

    @property
    def reloads(self) -> bool:
        """Whether it runs the app's code, so that a change of the code must restart it."""
        return not RUNS_OUR_CODE.isdisjoint(shlex.split(self.line))

    @property
    def script(self) -> str:
        """The line for ``sh -c``; where the shell has nothing else to do, the program replaces it.

        So a signal reaches the program itself, and a worker can tell its children what to do.
        """
        return self.line if SHELL_SYNTAX.search(self.line) else f"exec env {self.line}"

    def needs(self, variable: str, usual_names: Collection[str]) -> bool:
        """Tell whether it listens on the port that the environment variable holds.

        Some programs read the variable by themselves; those are known by their usual name.
        """
        mentions = re.search(rf"\${{?{variable}\b", self.line)
        return bool(mentions) or self.name in usual_names


def usual(flask_spec: str, *, flower: bool) -> list[Command]:
    """Return backend, worker, beat, and Flower if it is wanted and installed."""
    commands = [
        Command("backend", f"flask --app {shlex.quote(flask_spec)} run --port $PORT"),
        Command("worker", "flaskiq worker start"),
        Command("beat", "flaskiq beat"),
    ]
    if flower and find_spec("flower") is None:
        click.echo("Flower is left out; to have it: pip install 'flaskiq[dev]'", err=True)
    elif flower:
        commands.append(Command(FLOWER, "flaskiq flower --port $FLOWER_PORT"))
    return commands


def read(procfile: Path) -> list[Command]:
    """Return the commands of a Procfile.

    Raises:
        click.ClickException: it has none, or two of one name.
    """
    try:
        processes = parse_procfile(procfile.read_text(encoding="utf-8")).processes
    except AssertionError as error:
        raise click.ClickException(f"{procfile}: {error}.") from None
    if not processes:
        raise click.ClickException(f"{procfile} has no line of the form `name: command`.")
    return [Command(name, line) for name, line in processes.items()]


def choose(commands: Sequence[Command], only: Sequence[str], *, flower: bool) -> list[Command]:
    """Return the commands of these names, or all if none is given; Flower if it is wanted.

    Raises:
        click.UsageError: there is no command of a name.
    """
    names = [command.name for command in commands]
    for name in only:
        if name not in names:
            raise click.UsageError(
                f"There is no process {name!r}{did_you_mean(name, names)} "
                f"(there are {', '.join(names)})."
            )
    if only:
        return [command for command in commands if command.name in only]
    return [command for command in commands if flower or command.name != FLOWER]
