"""Record: what this machine knows of a worker that ``flaskiq worker start`` has started.

A file per worker in ``.flaskiq/workers``, from its start to its end. A worker is found by it, and
never by its command line; and since its pid is given to another program one day, it is told from
that by its birth.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from urllib.parse import quote

import click
from celery.utils.nodenames import host_format

from flaskiq.cli.birth import birth
from flaskiq.cli.pidfile import Pidfile

FOLDER = Path(".flaskiq") / "workers"


def node_of(name: str) -> str:
    """Return the node that a name means: ``mail`` is ``mail@host``; Celery would read a host."""
    return str(host_format(name if "@" in name else f"{name}@%h"))


@dataclass(frozen=True)
class Record:
    """One worker of this host: who it is, and how it was started.

    ``options`` are those that were typed. If ``successor`` is there, the worker starts again in
    its own place once it has ended, with these.
    """

    name: str
    app: str
    options: tuple[str, ...]
    pid: int
    birth: str | None
    host: str
    is_detached: bool = False
    is_ready: bool = False
    pidfile: str | None = None
    logfile: str | None = None
    successor: tuple[str, ...] | None = None

    @classmethod
    def read(cls, text: str) -> Record:
        """Read what :meth:`text` has returned.

        Raises:
            KeyError, TypeError, ValueError: it is no record.
        """
        values = json.loads(text)
        for name in ("options", "successor"):
            values[name] = values[name] and tuple(values[name])
        return cls(**values)

    def text(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), indent=2)

    def is_of(self, pid: int) -> bool:
        """Whether it is about this process, and not about one that had its pid before."""
        return self.pid == pid and self.is_alive

    @property
    def is_alive(self) -> bool:
        """Whether the worker still runs."""
        return self.birth is not None and birth(self.pid) == self.birth

    def stop(self) -> None:
        """Tell it to end when its jobs have."""
        self._signal(signal.SIGTERM)

    def quiet(self) -> None:
        """Tell it to fetch no more jobs."""
        self._signal(signal.SIGTSTP)

    def _signal(self, number: int) -> None:
        """Send a signal to the worker if it still runs, and to nobody else.

        Raises:
            click.ClickException: it belongs to another user.
        """
        try:
            if self.is_alive:
                os.kill(self.pid, number)
        except ProcessLookupError:
            return
        except PermissionError:
            raise click.ClickException(
                f"{self} belongs to another user: run this command as that user."
            ) from None

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


class Records:
    """The records in the working folder. To iterate is to see the live workers of one app."""

    def __init__(self, app: str) -> None:
        self.app = app
        self._folder = FOLDER.resolve()

    def __iter__(self) -> Iterator[Record]:
        return (record for record in self._live() if record.app == self.app)

    def get(self, name: str) -> Record | None:
        """Return the record of a name, whether or not its worker still runs."""
        return self._read(self._path(name))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others from starting a worker meanwhile.

        Raises:
            OSError: the folder cannot be written to.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._folder / ".gitignore").write_text("*\n")
        with (self._folder / "start.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def free_name(self) -> str:
        """Return a node name that no worker has; to be called :meth:`alone`.

        It tells the folder, too: another folder of this host may hold the same app. After a
        restart it is the same again, so that Flower does not list all that ever was.
        """
        tag = self._folder / "tag"
        if not tag.exists():
            tag.write_text(secrets.token_hex(2))
        taken = {record.name for record in self._live()}
        names = (node_of(f"worker{number}-{tag.read_text()}") for number in count(1))
        return next(name for name in names if name not in taken)

    def check_free(self, name: str) -> None:
        """Refuse a name that a worker has.

        Raises:
            click.ClickException: it is taken.
        """
        for record in self._live():
            if record.name == name:
                raise click.ClickException(
                    f"There is a worker {record} already. Choose another --name, or stop it: "
                    f"flaskiq worker stop --name {name}"
                )

    def unique_name(self) -> str:
        """Return a node name for a worker without a record."""
        return node_of(f"worker-{secrets.token_hex(4)}")

    def new(self, name: str, options: tuple[str, ...]) -> Record:
        """Return a record of this process."""
        pid = os.getpid()
        return Record(name, self.app, options, pid, birth(pid), socket.gethostname())

    def keep(self, record: Record) -> None:
        """Write a record."""
        path = self._path(record.name)
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        fresh.write_text(record.text())
        fresh.replace(path)

    def remove(self, record: Record) -> None:
        """Remove a record and its pidfile, unless another worker has them by now."""
        current = self.get(record.name)
        if current and (current.pid, current.birth) == (record.pid, record.birth):
            self._path(record.name).unlink(missing_ok=True)
        if record.pidfile:
            Pidfile(record.pidfile).remove(record.pid)

    def path(self, name: str, suffix: str) -> Path:
        """Return the path of a file beside the record of a worker."""
        return self._path(name).with_suffix(suffix)

    def _path(self, name: str) -> Path:
        return self._folder / f"{quote(name, safe='@')}.json"

    def _live(self) -> list[Record]:
        """The live workers of all apps; what dead ones have left is removed."""
        found = [self._read(path) for path in sorted(self._folder.glob("*.json"))]
        records = [record for record in found if record]
        for record in records:
            if not record.is_alive:
                self.remove(record)
                click.echo(
                    f"{record} has ended without a word. Its record is removed; whatever has its "
                    "pid now is left alone.",
                    err=True,
                )
        return [record for record in records if record.is_alive]

    def _read(self, path: Path) -> Record | None:
        """Read a record; of another host that shares the folder nothing can be told."""
        try:
            record = Record.read(path.read_text())
        except FileNotFoundError:
            return None
        except (KeyError, TypeError, ValueError) as error:
            click.echo(f"{path} is no record of a worker ({error!r}): remove it.", err=True)
            return None
        return record if record.host == socket.gethostname() else None
