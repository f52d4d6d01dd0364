"""What ``flaskiq dev`` and ``flaskiq demo`` share: ports, environment, banner, Ctrl-C."""

from __future__ import annotations

import math
import os
import signal
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import click

from flaskiq.dev import ports
from flaskiq.dev.broker import Broker
from flaskiq.dev.commands import Command
from flaskiq.dev.supervisor import Supervisor, ending_signals

if TYPE_CHECKING:
    from types import FrameType

PORTS = (("PORT", {"backend", "web"}, "--port"), ("FLOWER_PORT", {"flower"}, "--flower-port"))


def until_interrupted(work: Callable[[], int]) -> int:
    """Do ``work`` and return its exit code; 0 where Ctrl-C came before it had one.

    Valkey has a session of its own and must not outlive us, so an order to end is an exception.
    """
    for number in ending_signals():
        signal.signal(number, _interrupt)
    try:
        return work()
    except KeyboardInterrupt:
        return 0


def _interrupt(_: int, __: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


@dataclass(frozen=True)
class Run:
    """The processes of an app: which, where the app is, and on which ports they listen."""

    commands: Sequence[Command]
    spec: str
    port: int
    flower_port: int

    def check_ports(self) -> None:
        """Refuse a port that is needed and taken.

        Raises:
            click.ClickException: it names process, port and option.
        """
        for variable, names, option in PORTS:
            for command in self.commands:
                if command.needs(variable, names):
                    ports.check(self._values[variable], command.name, option)

    def supervise(
        self,
        running: Broker,
        *,
        title: str,
        page: str = "/",
        reload: bool = False,
        seconds: float = math.inf,
    ) -> int:
        """Tell where everything is, run it until Ctrl-C or for so long, return the exit code."""
        click.echo(self._banner(running, title, page))
        supervisor = Supervisor(self.commands, self._environment(running), reload=reload)
        return supervisor.run(seconds)

    @property
    def _values(self) -> Mapping[str, int]:
        return {"PORT": self.port, "FLOWER_PORT": self.flower_port}

    def _environment(self, running: Broker) -> dict[str, str]:
        """What the processes are told; a configured broker they find for themselves."""
        return {
            **os.environ,
            "PATH": os.pathsep.join((sysconfig.get_path("scripts"), os.environ.get("PATH", ""))),
            "PYTHONUNBUFFERED": "1",
            # Flower listens on this machine only, and without this its /api answers 401.
            "FLOWER_UNAUTHENTICATED_API": "true",
            "FLOWER_URL": f"http://{ports.LOOPBACK}:{self.flower_port}",
            "FLASKIQ_APP": self.spec,
            **{name: str(value) for name, value in self._values.items()},
            **running.environment,
        }

    def _banner(self, running: Broker, title: str, page: str) -> str:
        names = [command.name for command in self.commands]
        url = f"http://{ports.LOOPBACK}"
        rows = [f"{title}: {', '.join(names)}"]
        if not {"backend", "web"}.isdisjoint(names):
            rows.append(f"  page    {url}:{self.port}{page}")
        if "flower" in names:
            rows.append(f"  Flower  {url}:{self.flower_port}/")
        rows.append(f"  broker  {running.description}")
        if running.data:
            rows.append(f"  data    {running.data}")
        rows.append("Ctrl-C stops everything.")
        return "\n".join(rows)
