"""Other ways to reach a server: a unix socket, and the master that Sentinel names."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from overrides import OVERRIDES
from servers import Server, binary


@pytest.fixture
def program(server: Server) -> str:
    """The server program of the other tests."""
    found = binary()
    assert found is not None
    return found


@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_a_unix_socket(program: str, elsewhere: Any, round_trip: str, pool: str) -> None:
    with tempfile.TemporaryDirectory() as folder:  # the path of a socket must be short
        path = f"{folder}/redis.sock"
        server = Server(program, Path(folder), "--unixsocket", path, url=f"redis+socket://{path}")
        project = elsewhere(server.url)
        project.worker("sample:celery_app", f"--pool={pool}", "--concurrency=1")
        assert project.python(round_trip).split() == ["3", "7", "6"]
        project.end()
        server.stop()


@pytest.fixture
def behind_sentinel(
    program: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Server]]:
    """A master, and a Sentinel that names it ``main``."""
    master = Server(program, tmp_path_factory.mktemp("master"))
    folder = tmp_path_factory.mktemp("sentinel")
    config = folder / "sentinel.conf"
    config.write_text(f"sentinel monitor main 127.0.0.1 {master.port} 1\n")
    sentinel = Server(program, folder, "--sentinel", config=config)
    yield master, sentinel
    sentinel.stop()
    master.stop()


@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_sentinel(
    behind_sentinel: tuple[Server, Server], elsewhere: Any, round_trip: str, pool: str
) -> None:
    master, sentinel = behind_sentinel
    options = {"master_name": "main"}
    project = elsewhere(
        sentinel.url.replace("redis:", "sentinel:"),
        **{
            OVERRIDES: json.dumps(
                {"broker_transport_options": options, "result_backend_transport_options": options}
            ),
            "FLASKIQ_HEARTBEAT_TTL": "2",
        },
    )
    worker = project.worker("sample:celery_app", f"--pool={pool}", "--concurrency=1")
    assert project.python(round_trip).split() == ["3", "7", "6"]
    with master.client() as client:
        assert client.scard("flaskiq:processes") == 1
        for each in client.client_list():
            if each["id"] != str(client.client_id()):
                client.client_kill_filter(_id=each["id"])
    assert project.python(round_trip).split() == ["3", "7", "6"], worker.output
