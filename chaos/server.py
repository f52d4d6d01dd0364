"""A Redis or Valkey that can be killed: every write is in its append-only file before the reply."""

from __future__ import annotations

import random
import socket
import subprocess
import time
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from flaskiq.dev.valkey import server_program

HOST = "127.0.0.1"
STARTS_WITHIN = 30


class Server:
    """A server on one port and one folder, however often it is killed and started."""

    def __init__(self, folder: Path) -> None:
        self.port = _free_port()
        self.url = f"redis://{HOST}:{self.port}/0"
        self.client = Redis(
            host=HOST, port=self.port, decode_responses=True, retry=Retry(NoBackoff(), 0)
        )
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it answers with its data read."""
        options = {
            "port": self.port,
            "bind": HOST,
            "dir": self._folder,
            "logfile": self._folder / "server.log",
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
        }
        argv = [server_program()]
        for name, value in options.items():
            argv += [f"--{name}", str(value)]
        self._process = subprocess.Popen(  # noqa: S603 - our program with our options
            argv, start_new_session=True
        )
        deadline = time.monotonic() + STARTS_WITHIN
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"the server did not start; see {self._folder}/server.log")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except RedisError:
            return False


def _free_port() -> int:
    """Choose a port below the ephemeral range: while the server is down, a client that connects to
    itself from the same port would take it for good."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)):
                return port
    raise RuntimeError("no free port between 20000 and 30000")
