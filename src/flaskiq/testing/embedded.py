"""The embedded Valkey of a test run: one for each pytest process, so those of xdist are apart."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
from functools import cache
from pathlib import Path

import click

from flaskiq.dev import ports
from flaskiq.dev.valkey import Valkey, server_program
from flaskiq.errors import ModeError

DATABASES = 16
"""As many as a server has, unless it is told otherwise."""

_taken: set[int] = set()
_lock = threading.Lock()


def take_database() -> str:
    """Return the URL of a database that nobody uses, until it is given back.

    The server is started if it does not run, and ends with this program.

    Raises:
        ModeError: there is no server program, it does not start, or all databases are used.
    """
    server = _start(os.getpid())
    with _lock:
        free = sorted(set(range(DATABASES)) - _taken)
        if not free:
            raise ModeError(f"more than {DATABASES} apps use real() at once")
        _taken.add(free[0])
        return f"{server}/{free[0]}"


def give_back(url: str) -> None:
    """End the use of a database."""
    with _lock:
        _taken.discard(int(url.rpartition("/")[2]))


def is_there() -> bool:
    """Whether there is a server program."""
    try:
        return bool(server_program())
    except click.ClickException:
        return False


@cache
def _start(pid: int) -> str:
    folder = Path(tempfile.mkdtemp(prefix="flaskiq-testing-"))
    valkey = Valkey(folder, usual_port=ports.choose_free())
    try:
        valkey.__enter__()
    except click.ClickException as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ModeError(f"real() needs a server. {error.message}") from None
    atexit.register(_end, pid, valkey, folder)
    return valkey.url.rpartition("/")[0]


def _end(pid: int, valkey: Valkey, folder: Path) -> None:
    if os.getpid() == pid:  # not in a fork
        valkey.__exit__()
        shutil.rmtree(folder, ignore_errors=True)
