"""The Valkey that all contestants share, and what it tells about their use of it."""

from __future__ import annotations

import socket
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any, cast

import redis

from flaskiq.dev.valkey import server_program

STARTS_WITHIN = 20.0  # seconds

OWN = "info"
"""The only command that the benchmark itself sends while it measures."""


class Server:
    """A Valkey or Redis of our own on a free port, without persistence. Use it as a context.

    Raises:
        click.ClickException: there is no server program.
        RuntimeError: it does not start.
    """

    def __init__(self, folder: Path) -> None:
        port = _free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        with (folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our program with our options
                [server_program(), *options, "--dir", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._client: Any = redis.Redis.from_url(self.url)

    def __enter__(self) -> Server:
        deadline = time.monotonic() + STARTS_WITHIN
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError("the server did not start")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._process.kill()
        self._process.wait()

    @property
    def version(self) -> str:
        """Name and version, such as ``valkey 9.1.0``."""
        info = self._client.info("server")
        name = info.get("server_name", "redis")
        return f"{name} {info.get(f'{name}_version', '?')}"

    def clear(self) -> None:
        """Forget all data."""
        self._client.flushall()

    def commands(self) -> Counter[str]:
        """How often each command ran, those inside scripts included."""
        stats = self._client.info("commandstats")
        calls = {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in stats.items()}
        return Counter({name: count for name, count in calls.items() if name != OWN})

    def cpu_seconds(self) -> float:
        """The CPU time that the server has used."""
        info = self._client.info("cpu")
        return float(info["used_cpu_user"] + info["used_cpu_sys"])

    def stored_bytes(self) -> int:
        """The memory of all keys. (``used_memory`` would count buffers of connections, too.)"""
        keys = list(self._client.scan_iter(count=1000))
        return sum(cast("int", self._client.memory_usage(key, samples=0)) or 0 for key in keys)

    def _answers(self) -> bool:
        try:
            return bool(self._client.ping())
        except redis.ConnectionError:
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
