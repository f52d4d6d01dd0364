"""A worker that goes on from test to test: to start one takes more than a second of a processor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from processes import Process, Project
from redis import Redis
from servers import Server
from waiting import until

LIB = str(Path(__file__).parent)


class KeptWorker:
    """The worker of the sample application that tests share which leave it as it was.

    It goes on while each test asks for the same. The first that asks for none, or for another one,
    ends it: it would take that one's jobs.
    """

    def __init__(self) -> None:
        self._project: Project | None = None
        self._process: Process | None = None
        self._started: tuple[tuple[str, ...], dict[str, str]] | None = None

    @contextmanager
    def of(self, server: Server, folder: Path) -> Iterator[None]:
        """Let it run in a folder, with the queues of a server."""
        url = {"CELERY_BROKER_URL": server.url, "CELERY_RESULT_BACKEND": server.url}
        self._project = Project(folder, {**url, "PYTHONPATH": LIB, "FLASKIQ_HEARTBEAT_TTL": "2"})
        yield
        self.end()

    def started(self, store: Redis, *options: str, **env: str) -> Process:
        """Return the one that runs with these options, and start it if there is none.

        The store was emptied since: the worker tells of itself anew with its next heartbeat.
        """
        assert self._project is not None
        if self._process is None or self._started != (options, env):
            self.end()
            self._process = self._project.worker("sample:celery_app", *options, **env)
            self._started = options, env
        assert self._process.is_running, f"an earlier test ended it:\n{self._process.output}"
        until(lambda: store.exists("flaskiq:processes"), "it beats")
        return self._process

    def end(self) -> None:
        """End it, if it runs."""
        if self._process is not None:
            self._process.end()
            self._process = None


KEPT_WORKER = KeptWorker()
