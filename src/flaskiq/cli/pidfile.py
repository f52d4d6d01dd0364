"""Pidfile: a file with the pid of a running worker, for the tools that ask for one."""

from __future__ import annotations

import os
from pathlib import Path

import click
import psutil

ROUNDING = 1.0
"""Seconds by which the times of files and of processes may differ."""


class Pidfile:
    """The file at ``path``; nobody is ever signalled for what stands in it."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    def check_free(self) -> None:
        """Make sure that no running program claims the file; one that is left behind is said.

        A program that was started after the file was written has got the pid by chance.

        Raises:
            click.ClickException: the file belongs to a running program.
        """
        pid = self.pid
        if pid is None:
            return
        try:
            process = psutil.Process(pid)
            is_owner = process.create_time() <= self._path.stat().st_mtime + ROUNDING
        except psutil.NoSuchProcess:
            is_owner = False
        if is_owner:
            raise click.ClickException(
                f"{self._path} belongs to the running program {process.name()!r} (pid {pid}). "
                "Stop it, or choose another --pidfile."
            )
        click.echo(
            f"{self._path} is left from a program that has ended (pid {pid}), and is replaced.",
            err=True,
        )

    @property
    def pid(self) -> int | None:
        """What stands in the file; None if there is none, or no number in it."""
        try:
            return int(self._path.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def write(self, pid: int) -> None:
        """Write a pid, all at once."""
        if self.pid == pid:
            return
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        fresh.write_text(f"{pid}\n")
        fresh.replace(self._path)

    def remove(self, pid: int) -> None:
        """Remove the file if ``pid`` stands in it."""
        if self.pid == pid:
            self._path.unlink(missing_ok=True)
