"""Line: a connection of redis-py, without what redis-py does around each command and reply.

That is a dozen calls, and where a process was asleep, each of them keeps a job waiting for some
microseconds.
"""

from __future__ import annotations

from typing import Any

from hiredis import PushNotification, Reader
from redis.exceptions import ConnectionError as Closed
from redis.exceptions import InvalidResponse

_NOT_YET = object()

_SIZE = 65536
"""Bytes that are read at once, as redis-py does."""


class Line:
    """The socket of an open connection, with a parser of its own.

    From here on nobody else may read from the connection: what has come already would be missed.
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.socket = connection._sock  # noqa: SLF001 - redis-py has no name for it
        self._reader = Reader(
            protocolError=InvalidResponse,
            replyError=connection._parser.parse_error,  # noqa: SLF001 - the classes of its errors
            notEnoughData=_NOT_YET,
        )

    def send(self, packed: bytes) -> None:
        """Write commands in the protocol of Redis.

        Raises:
            OSError: the connection is of no more use.
        """
        self.socket.sendall(packed)

    def read(self) -> Any:
        """Return the next reply; an error of the server is raised.

        Raises:
            redis.ResponseError: what the server says.
            redis.RedisError, OSError: the connection is of no more use.
        """
        reply = self._reader.gets()
        while reply is _NOT_YET or type(reply) is PushNotification:
            if reply is _NOT_YET:
                self._receive()
            reply = self._reader.gets()
        if isinstance(reply, Exception):
            raise reply
        return reply

    def _receive(self) -> None:
        received = self.socket.recv(_SIZE)
        if not received:
            raise Closed("Connection closed by server.")
        self._reader.feed(received)
