"""A real PostgreSQL for tests, one for each pytest process."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from servers import free_port
from waiting import until

OWNER = "postgres"
"""Who runs the server where the tests run as root, which it refuses; Debian's package makes it."""


def program(name: str) -> str | None:
    """Return a program of PostgreSQL: from PATH, else from where Debian puts it."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(places[-1]) if places else None)


def required() -> tuple[str, str]:
    """Return initdb and postgres; without them the test is skipped, and fails in CI."""
    found = program("initdb"), program("postgres")
    if all(found):
        return found  # type: ignore[return-value]
    if os.environ.get("CI"):
        pytest.fail("no PostgreSQL: install postgresql")
    pytest.skip("no PostgreSQL: install postgresql")


class Postgres:
    """A server process on loopback, without fsync; its data goes with it."""

    def __init__(self) -> None:
        initdb, server = required()
        self.port = free_port()
        # Not below pytest's folders, which only their owner may enter.
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._user = OWNER if os.getuid() == 0 else None
        if self._user:
            shutil.chown(self._folder, self._user)
        data = str(self._folder / "data")
        subprocess.run(
            [initdb, "-D", data, "-U", OWNER, "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            capture_output=True,
            user=self._user,
            cwd="/",
        )
        self._log = (self._folder / "log").open("w")
        options = {"fsync": "off", "unix_socket_directories": "", "max_connections": "100"}
        self._process = subprocess.Popen(
            [
                server, "-D", data, "-h", "127.0.0.1", "-p", str(self.port),
                *(f"--{name}={value}" for name, value in options.items()),
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            user=self._user,
            cwd="/",
        )  # fmt: skip
        until(self._answers, "PostgreSQL answers")

    def url(self, user: str = OWNER) -> str:
        """The URL for SQLAlchemy; the user ``postgres`` may do all, and sees the rows of all."""
        return f"postgresql+psycopg://{user}@127.0.0.1:{self.port}/postgres"

    def stop(self) -> None:
        """End the server for good."""
        self._process.kill()
        self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder)

    def _answers(self) -> bool:
        import psycopg

        assert self._process.poll() is None, (self._folder / "log").read_text()
        try:
            psycopg.connect(f"host=127.0.0.1 port={self.port} user={OWNER}").close()
        except psycopg.OperationalError:
            return False
        return True
