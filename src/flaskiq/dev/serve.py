"""``flaskiq dev``, from the checks to the end of the last process."""

from __future__ import annotations

import os
import signal
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
from flask import Flask

from flaskiq.dev import broker, commands, ports
from flaskiq.dev.broker import Broker
from flaskiq.dev.commands import Command
from flaskiq.dev.supervisor import Supervisor, ending_signals

if TYPE_CHECKING:
    from types import FrameType

    from flaskiq.cli.locate import Found

FOLDER = Path(".flaskiq")
PORTS = (("PORT", {"backend", "web"}, "--port"), ("FLOWER_PORT", {"flower"}, "--flower-port"))


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

    The app is loaded here, because it must see that this is development.

    Raises:
        click.ClickException: a port is taken, there is no broker, or there is no app.
    """
    # Valkey has a session of its own and must not outlive us, so an order to end is an exception.
    for number in ending_signals():
        signal.signal(number, _interrupt)
    os.environ["FLASKIQ_ENV"] = "development"
    try:
        found = locate()
        flower = found.state.settings["ENABLE_FLOWER"] or commands.FLOWER in only
        chosen = commands.choose(_commands(found, procfile, flower=flower), only, flower=flower)
        values = {"PORT": port, "FLOWER_PORT": flower_port}
        _check_ports(chosen, values)
        _make_folder()
        with broker.provide(found.state, FOLDER / "valkey") as running:
            click.echo(banner(found, chosen, values, running))
            environment = _environment(found, values, running)
            return Supervisor(chosen, environment, reload=reload).run()
    except KeyboardInterrupt:
        return 0


def _interrupt(_: int, __: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _commands(found: Found, procfile: Path | None, *, flower: bool) -> list[Command]:
    if procfile is None and Path("Procfile").is_file():
        procfile = Path("Procfile")
    if procfile:
        return commands.read(procfile)
    spec = found.spec if isinstance(found.value, Flask) else "flaskiq.cli.backend"
    return commands.usual(spec, flower=flower)


def _check_ports(chosen: Sequence[Command], values: Mapping[str, int]) -> None:
    for variable, names, option in PORTS:
        for command in chosen:
            if command.needs(variable, names):
                ports.check(values[variable], command.name, option)


def _make_folder() -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / ".gitignore").write_text("*\n")


def _environment(found: Found, values: Mapping[str, int], running: Broker) -> dict[str, str]:
    """What the processes are told; a configured broker they find for themselves."""
    return {
        **os.environ,
        "PATH": os.pathsep.join((sysconfig.get_path("scripts"), os.environ.get("PATH", ""))),
        "PYTHONUNBUFFERED": "1",
        # Flower listens on this machine only, and without this its /api answers 401.
        "FLOWER_UNAUTHENTICATED_API": "true",
        "FLOWER_URL": f"http://{ports.LOOPBACK}:{values['FLOWER_PORT']}",
        "FLASKIQ_APP": found.spec,
        **{name: str(value) for name, value in values.items()},
        **running.environment,
    }


def banner(
    found: Found, chosen: Sequence[Command], values: Mapping[str, int], running: Broker
) -> str:
    """Tell where everything is."""
    names = {command.name for command in chosen}
    url = f"http://{ports.LOOPBACK}"
    rows = [f"Flaskiq runs {found.spec}: {', '.join(command.name for command in chosen)}"]
    if names & {"backend", "web"}:
        rows.append(f"  page    {url}:{values['PORT']}/")
    if "flower" in names:
        rows.append(f"  Flower  {url}:{values['FLOWER_PORT']}/")
    rows.append(f"  broker  {running.description}")
    if running.data:
        rows.append(f"  data    {running.data}")
    rows.append("Ctrl-C stops everything.")
    return "\n".join(rows)
