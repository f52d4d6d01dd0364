"""What kombu loads in place of its own Redis transports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kombu.transport import redis

from flaskiq.broker.channel import OPTIONS, Channel

_Transport: Any = redis.Transport
_SentinelTransport: Any = redis.SentinelTransport

WAIT = 1.05
"""Seconds that an idle worker waits for a wake token before it looks by itself (kombu's own: 1).

A job of a producer that leaves no token starts within 1.1 s, and an idle worker, all its other
commands included, sends at most 2.5 commands a second.
"""


class _Readers:
    """An event loop to which a reader is added once.

    kombu adds each of its sockets again in every turn of the loop, a system call each time
    (``on_poll_start`` in kombu/transport/redis.py, 5.7.0). A socket that was closed is removed.
    """

    def __init__(self, loop: Any) -> None:
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def add_reader(self, fd: int, callback: Callable[..., Any], *args: Any) -> None:
        """Add a reader, if it is not there."""
        if self._loop.readers.get(fd) != (callback, args):
            self._loop.add_reader(fd, callback, *args)


class Transport(_Transport):
    """``redis://``, ``rediss://`` and ``redis+socket://``."""

    Channel = Channel
    brpop_timeout = WAIT

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Let the event loop of a worker read its sockets."""
        super().register_with_event_loop(connection, _Readers(loop))


_SentinelChannel: Any = redis.SentinelChannel


class SentinelChannel(Channel, _SentinelChannel):
    """A channel to the master that Sentinel names."""

    from_transport_options = (*_SentinelChannel.from_transport_options, *OPTIONS)


class SentinelTransport(_SentinelTransport):
    """``sentinel://``."""

    Channel = SentinelChannel
    brpop_timeout = WAIT

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Let the event loop of a worker read its sockets."""
        super().register_with_event_loop(connection, _Readers(loop))


OURS: dict[type, type] = {
    redis.Transport: Transport,
    redis.SentinelTransport: SentinelTransport,
}
"""kombu's transport -> ours."""
