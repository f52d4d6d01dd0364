"""Which servers will do: the floor is Redis 7.0."""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

import pytest
from fleet import LIB
from processes import Project
from proxy import OldServer
from redis import Redis
from servers import Server

from flaskiq.errors import ServerError
from flaskiq.store.server import require_floor


class Answer:
    """A client whose server says that it is of some version."""

    def __init__(self, version: str) -> None:
        self.version = version

    def info(self, section: str) -> dict[str, Any]:
        return {"redis_version": self.version} if self.version else {}


@pytest.mark.parametrize(
    "version", ["7.0.0", "7.2.4", "8.0-rc1", "10.1.0", "7", "7.0", "255.255.255", ""]
)
def test_these_versions_will_do(version: str) -> None:
    require_floor(Answer(version))  # type: ignore[arg-type]


@pytest.mark.parametrize("version", ["6.2.14", "5.0.7", "6.9-beta"])
def test_these_versions_are_too_old(version: str) -> None:
    with pytest.raises(ServerError, match=rf"Redis {version} is too old.*Redis 7\.0 or newer"):
        require_floor(Answer(version))  # type: ignore[arg-type]


def test_a_worker_on_an_old_server_says_what_it_needs_and_ends(
    sample: ModuleType, server: Server, project: Project
) -> None:
    proxy = OldServer(server.port)
    worker = project.start(
        "celery", "-A", "sample:celery_app", "worker", "--pool=solo",
        PYTHONPATH=LIB, CELERY_BROKER_URL=proxy.url,
    )  # fmt: skip
    assert worker.wait() != 0
    assert "Flaskiq needs Redis 7.0 or newer" in worker.output
    proxy.close()


def test_the_server_of_the_tests_is_the_one_that_was_named(store: Redis) -> None:
    named = os.environ.get("TEST_SERVER", "")
    is_valkey = store.info("server").get("server_name") == "valkey"
    assert is_valkey is ("valkey" in named) or not named
