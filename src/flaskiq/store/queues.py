"""Queues: the lists of ready jobs."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from redis import Redis, RedisError

from flaskiq.store.keys import Keys

logger = logging.getLogger(__name__)


class Queues:
    """Pushes jobs, each time with one LPUSH.

    It keeps the connections that it has used, and speaks to them itself: half of what a call of
    redis-py costs is getting a connection from the pool and giving it back.
    """

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._pool: Any = client.connection_pool
        self._keys = keys
        self._kept: deque[Any] = deque()
        self._pid = os.getpid()

    def push(self, queue: str, messages: Sequence[str | bytes], sublist: str = "") -> None:
        """Put jobs behind all others of a queue, or of its ``sublist`` for a message priority.

        If the list was empty, processes may wait: one is woken, who passes the token on.

        Raises:
            redis.RedisError, OSError: it is not known whether the jobs are there.
        """
        if self._run("LPUSH", self._keys.ready(sublist or queue), *messages) == len(messages):
            self.wake(queue)

    def wake(self, queue: str) -> None:
        """Put the wake token of a queue, at most one.

        No error: the job is there already, and a waiting process looks again within a second.
        """
        token = self._keys.wake + queue
        try:
            if self._run("LPUSH", token, 1) > 1:
                self._run("LTRIM", token, 0, 0)
        except (RedisError, OSError) as error:
            logger.info("Nobody is woken for queue %s: %s", queue, error)

    def _run(self, *command: Any) -> Any:
        connection = self._connection()
        try:
            connection.send_packed_command(connection.pack_command(*command), check_health=False)
            reply = connection.read_response()
        except BaseException:
            # A reply that is still to come must not be taken for that of another command; and
            # where one connection has ended, the others have, too.
            self._kept.append(connection)
            self._drop_all()
            raise
        self._kept.append(connection)
        return reply

    def _connection(self) -> Any:
        if self._pid != os.getpid():
            self._pid, self._kept = os.getpid(), deque()
        try:
            return self._kept.pop()
        except IndexError:
            return self._pool.get_connection()

    def _drop_all(self) -> None:
        for _ in range(len(self._kept)):
            with suppress(IndexError):  # another thread has just taken it
                connection = self._kept.pop()
                connection.disconnect()
                self._pool.release(connection)
