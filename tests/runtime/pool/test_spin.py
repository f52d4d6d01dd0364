"""Waiting for a reply awake: only where it comes soon."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from time import perf_counter

import pytest

from flaskiq.runtime.pool import spin
from flaskiq.runtime.pool.spin import LONGEST, PAUSE, Spin


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets, a spin that lasts long, and a machine of two processors."""
    monkeypatch.setattr(spin, "MOST", 0.2)
    monkeypatch.setattr(spin, "processors", lambda: 2)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def seconds(awake: Spin, ours: socket.socket) -> float:
    began = perf_counter()
    awake.wait(ours)
    return perf_counter() - began


def test_it_ends_with_the_reply(sockets: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = sockets
    theirs.send(b"reply")
    assert seconds(Spin(), ours) < 0.2


def test_after_one_that_does_not_come_soon_it_sleeps_for_some(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    ours, _ = sockets
    awake = Spin()
    assert seconds(awake, ours) >= 0.2
    assert sum(seconds(awake, ours) for _ in range(PAUSE)) < 0.2
    assert seconds(awake, ours) >= 0.2, "then it tries again"


def test_where_none_comes_soon_it_tries_less_and_less(
    sockets: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spin, "MOST", 0.01)
    ours, theirs = sockets
    awake = Spin()
    awake.wait(ours)

    def asleep() -> int:
        """How many replies it sleeps for before it waits awake for one, in vain."""
        number = 0
        while seconds(awake, ours) < 0.01:
            number += 1
        return number

    pauses = [asleep() for _ in range(6)]
    assert pauses == [min(PAUSE * 2**each, LONGEST) for each in range(6)]
    assert pauses[-1] == LONGEST
    theirs.send(b"reply")
    for _ in range(LONGEST + 1):
        awake.wait(ours)
    ours.recv(5)
    awake.wait(ours)
    assert asleep() == PAUSE, "one that came soon makes up for those before"


def test_another_connection_is_another_socket(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = sockets
    awake = Spin()
    theirs.send(b"reply")
    awake.wait(ours)
    other, far = socket.socketpair()
    with other, far:
        far.send(b"reply")
        assert seconds(awake, other) < 0.2


def test_with_one_processor_it_does_nothing(
    sockets: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spin, "processors", lambda: 1)
    assert seconds(Spin(), sockets[0]) < 0.2
