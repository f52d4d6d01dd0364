"""Channel: kombu's Redis channel with a reliable fetch and with times in Redis.

Ready jobs stay in kombu's lists with kombu's messages. What differs:

- a job with an ``eta`` waits in a sorted set, not in the memory of a worker (``put.py``);
- a fetch records the job in flight in the script that pops it, and carries the acknowledgements
  (``fetch.py``);
- a job in flight belongs to its process as long as that lives: no visibility timeout.

Fanout (events, remote control) and replies are kombu's own. Line numbers below are those of
kombu 5.7.0, kombu/transport/redis.py.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from types import MappingProxyType
from typing import Any

from kombu.transport import redis, virtual
from redis import Redis
from redis.exceptions import ResponseError

from flaskiq.broker.fetch import Fetches
from flaskiq.broker.order import WeightedCycle
from flaskiq.broker.process import Process, this_process
from flaskiq.broker.put import Puts
from flaskiq.message import read_json
from flaskiq.store.dead_set import Caps
from flaskiq.store.keys import Keys
from flaskiq.store.statistics import History
from flaskiq.store.store import Store

logger = logging.getLogger(__name__)

PATIENCE = 75.0
"""Seconds that a thread waits for Redis, longer than any of its blocking commands."""

DRIVER: dict[str, Any] = {}
"""How a connection calls itself; without it redis-py reads its own version from disk each time."""

with suppress(ImportError):  # redis-py 6 has none
    from redis.driver_info import DriverInfo

    DRIVER["driver_info"] = DriverInfo()

OPTIONS = ("heartbeat_ttl", "queue_weights", "dead_jobs", "dead_age", "history_jobs", "history_age")
"""Our names in ``broker_transport_options``."""

# kombu has no types for what is private, and a channel lives of it.
_Channel: Any = redis.Channel
_QoS: Any = virtual.QoS
_Message: Any = virtual.Message


class QoS(_QoS):
    """Jobs in hand. They are in flight in Redis already when they get here."""

    channel: Channel

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge with the next fetch, or soon if none is near."""
        self.channel.finish(delivery_tag)
        super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Drop the job, or push it back to the front of its queue."""
        if requeue:
            self.channel.push_back([delivery_tag])
        else:
            self.channel.finish(delivery_tag)
        super().ack(delivery_tag)

    def forget(self, delivery_tag: str) -> None:
        """Let go of a job that has left this process in another way: it takes no credit."""
        super().ack(delivery_tag)

    def restore_unacked_once(self, stderr: Any = None) -> None:
        """Push back everything in hand, unless it belongs to a worker that only reconnects."""
        if self.channel.is_reconnecting:
            self._on_collect.cancel()
            return
        super().restore_unacked_once(stderr)

    def restore_unacked(self) -> list[Any]:
        """Push back everything in hand."""
        self._flush()
        self.channel.push_back(list(self._delivered))
        self._delivered.clear()
        return []

    def restore_visible(self, *_: Any, **__: Any) -> None:
        """Nothing becomes visible again by a clock."""


class Message(_Message):
    """A message of kombu's. Most bodies are JSON without typed values, and read twice as fast."""

    def _decode(self) -> Any:
        if self._is_plain:
            with suppress(ValueError):  # kombu says what is wrong with it
                return read_json(self.body.decode())
        return super()._decode()

    @property
    def _is_plain(self) -> bool:
        is_json = (self.content_type, self.content_encoding) == ("application/json", "utf-8")
        if not is_json or not isinstance(self.body, bytes) or b"__type__" in self.body:
            return False
        return self.accept is None or self.content_type in self.accept


class Channel(Puts, Fetches, _Channel):
    """See the module."""

    QoS = QoS
    Message = Message

    heartbeat_ttl = 15.0
    dead_jobs, dead_age = Caps()
    history_jobs, history_age = History()
    queue_weights: Mapping[str, int] = MappingProxyType({})
    from_transport_options = (*redis.Channel.from_transport_options, *OPTIONS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._kept_client: Any = None
        self._unretried_pool: Any = None
        self._store: Store | None = None
        self._process: Process | None = None
        super().__init__(*args, **kwargs)
        if self.queue_weights:
            self._queue_cycle = WeightedCycle(self.queue_weights)

    @cached_property
    def keys(self) -> Keys:
        """The names of the keys in the database of this channel."""
        return Keys(self.global_keyprefix, self.sep, tuple(self.priority_steps))

    @property
    def store(self) -> Store:
        """The structures in the database of this channel, over its connection pool."""
        if self._store is None:
            self._store = self._store_over(self.pool)
        return self._store

    @property
    def process(self) -> Process:
        """The process that this channel fetches for."""
        if self._process is None:
            url = self.connection.client.as_uri()
            self._process = this_process(
                url, self.global_keyprefix, self.make_store, self.heartbeat_ttl
            )
        return self._process

    def make_store(self, patience: float = PATIENCE) -> Store:
        """A store with connections of its own, for a thread that outlives this channel.

        After ``patience`` seconds without an answer it raises ``redis.TimeoutError``.
        """
        pool = self._get_pool()
        pool.connection_kwargs["socket_timeout"] = patience
        return self._store_over(pool)

    def _store_over(self, pool: Any) -> Store:
        caps = Caps(self.dead_jobs, self.dead_age)
        history = History(self.history_jobs, self.history_age)
        return Store(Redis(connection_pool=pool), self.keys, caps, history)

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        """Yield one kept client; kombu makes a new one for every operation (:2085)."""
        if client is None:
            client = self._kept_client = self._kept_client or self._create_client()
        yield client

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        if asynchronous:  # these connections tell the channel when they close
            return {**super()._connparams(asynchronous), **DRIVER}
        return dict(self._parameters)

    @cached_property
    def _parameters(self) -> dict[str, Any]:
        """Of a connection; kombu asks for signatures to find them, each time."""
        return {**super()._connparams(), **DRIVER}

    def disconnect(self) -> None:
        """Close its connections; whoever needs one opens another."""
        self._disconnect_pools()

    def _after_fork(self) -> None:
        self._process = None
        super()._after_fork()

    def _disconnect_pools(self) -> None:
        unretried, self._unretried_pool = self._unretried_pool, None
        if unretried is not None:
            unretried.disconnect()
        self._kept_client = self._store = None
        super()._disconnect_pools()

    @property
    def unretried_pool(self) -> Any:
        """Connections on which nothing is sent twice, whatever ``retry_on_timeout`` says."""
        if not self.pool.connection_kwargs.get("retry_on_timeout"):
            return self.pool
        if self._unretried_pool is None:
            self._unretried_pool = self._get_pool()
            self._unretried_pool.connection_kwargs["retry_on_timeout"] = False
        return self._unretried_pool

    @property
    def is_reconnecting(self) -> bool:
        """Whether a worker closes this channel to open another: its jobs run on meanwhile."""
        process = self._process
        return process is not None and process.serves_a_worker and not process.is_stopping

    def close(self) -> None:
        if not self.closed and self._process is not None:
            self._end_fetching()
        super().close()

    def _end_fetching(self) -> None:
        """Flush, and push back what came with the last fetch."""
        try:
            self.end_fetch()
            self.flush()
            if self.process.is_stopping:
                self.qos.restore_unacked_once()
                self.process.leave()
        except (*self.connection_errors, ResponseError) as error:
            logger.warning("Left to the heartbeat or to the reapers: %s", error)
