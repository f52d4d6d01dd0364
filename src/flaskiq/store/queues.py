"""Queues: the lists of ready jobs."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, partial
from time import monotonic
from typing import Any

from hiredis import pack_command
from redis import Redis, RedisError
from redis.exceptions import ResponseError

from flaskiq.store.keys import Keys
from flaskiq.store.line import Line

logger = logging.getLogger(__name__)

_pack: Any = pack_command  # its stub knows commands of one word

SELDOM = 0.005
"""Seconds: of jobs that come further apart, each is likely to find its queue empty."""


class Queues:
    """Pushes jobs, each time with one LPUSH.

    It keeps the connections that it has used, and speaks to them itself: half of what a call of
    redis-py costs is getting a connection from the pool and giving it back.
    """

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._pool: Any = client.connection_pool
        self._keys, self._ready = keys, cache(keys.ready)
        self._token = cache(partial(_pack_token, keys.wake))
        self._kept: deque[Line] = deque()
        self._found_empty: dict[str, float] = {}
        self._pid = os.getpid()

    def push(self, queue: str, messages: Sequence[str | bytes], sublist: str = "") -> None:
        """Put jobs behind all others of a queue, or of its ``sublist`` for a message priority.

        If the list was empty, processes may wait: one is woken, who passes the token on. Where it
        is expected to be empty, as it was before, the token goes in the same write.

        Raises:
            redis.RedisError, OSError: it is not known whether the jobs are there.
        """
        key = self._ready(sublist or queue)
        push = _pack(("LPUSH", key, *messages))
        found_empty = self._found_empty.get(key)
        if found_empty is not None and monotonic() > found_empty + SELDOM:
            size, tokens = self._run(push + self._token(queue), 2)
            self._note_token(queue, tokens)
        else:
            (size,) = self._run(push)
            if size == len(messages):
                self.wake(queue)
        if size == len(messages):
            self._found_empty[key] = monotonic()
        else:
            self._found_empty.pop(key, None)

    def wake(self, queue: str) -> None:
        """Put the wake token of a queue, at most one.

        No error: the job is there already, and a waiting process looks again within a second.
        """
        try:
            (tokens,) = self._run(self._token(queue))
        except (RedisError, OSError) as error:
            tokens = error
        self._note_token(queue, tokens)

    def _note_token(self, queue: str, tokens: int | Exception) -> None:
        """Look at how many tokens there are now, or why nobody knows."""
        try:
            if isinstance(tokens, Exception):
                raise tokens
            if tokens > 1:
                self._run(_pack(("LTRIM", self._keys.wake + queue, 0, 0)))
        except (RedisError, OSError) as error:
            logger.info("Nobody is woken for queue %s: %s", queue, error)

    def _run(self, packed: bytes, count: int = 1) -> list[Any]:
        """Run commands in one write; what Redis refuses of all but the first is its error."""
        line = self._line()
        try:
            line.send(packed)
            replies = [line.read(), *(_reply(line) for _ in range(1, count))]
        except BaseException:
            # A reply that is still to come must not be taken for that of another command; and
            # where one connection has ended, the others have, too.
            self._kept.append(line)
            self._drop_all()
            raise
        self._kept.append(line)
        return replies

    def _line(self) -> Line:
        if self._pid != os.getpid():
            self._pid, self._kept = os.getpid(), deque()
        try:
            return self._kept.pop()
        except IndexError:
            return Line(self._pool.get_connection())

    def _drop_all(self) -> None:
        for _ in range(len(self._kept)):
            with suppress(IndexError):  # another thread has just taken it
                connection = self._kept.pop().connection
                connection.disconnect()
                self._pool.release(connection)


def _pack_token(prefix: str, queue: str) -> bytes:
    packed: bytes = _pack(("LPUSH", prefix + queue, 1))
    return packed


def _reply(line: Line) -> Any:
    try:
        return line.read()
    except ResponseError as error:
        return error
