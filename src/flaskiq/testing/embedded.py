"""The embedded Valkey of a test run: one for each pytest process, so those of xdist are apart."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

import click

from flaskiq.dev import ports
from flaskiq.dev.valkey import Valkey
from flaskiq.errors import ModeError


def url() -> str:
    """Start the server, unless it runs; return its URL. It ends with this program.

    Raises:
        ModeError: there is no server program, or it does not start.
    """
    return _start(os.getpid())


@cache
def _start(_pid: int) -> str:
    folder = Path(tempfile.mkdtemp(prefix="flaskiq-testing-"))
    valkey = Valkey(folder, usual_port=ports.choose_free())
    try:
        valkey.__enter__()
    except click.ClickException as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ModeError(f"real() needs a server. {error.message}") from None
    atexit.register(_end, os.getpid(), valkey, folder)
    return valkey.url


def _end(pid: int, valkey: Valkey, folder: Path) -> None:
    if os.getpid() == pid:  # not in a fork
        valkey.__exit__()
        shutil.rmtree(folder, ignore_errors=True)
