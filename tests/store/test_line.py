"""A line speaks for a connection of redis-py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hiredis import pack_command
from redis import Redis
from redis.exceptions import ConnectionError as Closed
from redis.exceptions import NoScriptError, ResponseError
from servers import Server

from flaskiq.store.line import Line


@pytest.fixture
def line(server: Server, store: Redis) -> Iterator[Line]:
    with Redis.from_url(server.url, protocol=3, socket_timeout=0.5) as client:
        connection = client.connection_pool.get_connection()
        yield Line(connection)
        connection.disconnect()
        client.connection_pool.release(connection)


def say(line: Line, *words: str) -> None:
    packed: bytes = pack_command(words)  # type: ignore[arg-type] # its stub knows one word
    line.send(packed)


def test_replies_come_in_the_order_of_the_commands(line: Line) -> None:
    say(line, "ECHO", "x" * 200_000)
    say(line, "ECHO", "second")
    assert line.read() == b"x" * 200_000
    assert line.read() == b"second"


def test_an_error_of_the_server_is_raised_and_the_line_goes_on(line: Line) -> None:
    say(line, "EVALSHA", "0" * 40, "0")
    say(line, "NONSENSE")
    say(line, "PING")
    with pytest.raises(NoScriptError):
        line.read()
    with pytest.raises(ResponseError, match="unknown command"):
        line.read()
    assert line.read() == b"PONG"


def test_what_the_server_pushes_is_no_reply(line: Line, store: Redis) -> None:
    store.set("watched", "before")
    say(line, "CLIENT", "TRACKING", "ON")
    say(line, "GET", "watched")
    assert (line.read(), line.read()) == (b"OK", b"before")
    store.set("watched", "after")
    say(line, "GET", "watched")
    assert line.read() == b"after"


def test_a_line_that_was_cut_is_closed(line: Line, store: Redis) -> None:
    say(line, "CLIENT", "ID")
    store.client_kill_filter(_id=line.read())
    with pytest.raises((Closed, OSError)):
        line.read()


def test_a_server_is_waited_for_as_long_as_the_connection_says(line: Line) -> None:
    say(line, "BLPOP", "nothing", "0.1")
    assert line.read() is None
    say(line, "BLPOP", "nothing", "0")
    with pytest.raises(TimeoutError):
        line.read()
