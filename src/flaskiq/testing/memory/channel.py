"""Channel: how Celery publishes into memory, by the same code as into Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from kombu import Connection, Producer
from kombu.transport import virtual
from kombu.utils.json import dumps

from flaskiq.broker.put import Puts
from flaskiq.testing.memory.store import MemoryStore

_Channel: Any = virtual.Channel  # kombu has no types for what is private
_Transport: Any = virtual.Transport


class ListChannel(_Channel):
    """A channel that puts whatever is no job (to an exchange of many queues) where jobs go, too."""

    store: MemoryStore

    def _put(self, queue: str, message: dict[str, Any], **_: Any) -> None:
        self.store.queues.push(queue, [dumps(message)])


class MemoryChannel(Puts, ListChannel):
    """See :class:`flaskiq.broker.put.Puts`."""

    supports_batch_publish = False
    _expires: ClassVar[dict[str, Any]] = {}

    def _q_for_pri(self, queue: str, _priority: int) -> str:
        return queue

    def _new_queue(self, *_: Any, **__: Any) -> None:
        """A queue is there when something is in it."""

    def _has_queue(self, *_: Any, **__: Any) -> bool:
        return True


class MemoryTransport(_Transport):
    """A transport without a server; Celery goes by its names, which are those of Redis."""

    Channel = MemoryChannel
    driver_type = driver_name = "redis"


class MemoryProducers:
    """What Celery takes for its pool of producers, and of their connections."""

    limit = None

    def __init__(self, store: MemoryStore, act: Callable[[], None]) -> None:
        """``act`` is called when something may have been published."""
        self.connection = Connection(transport=MemoryTransport)
        channel: Any = self.connection.channel()
        channel.store = store
        self._channel = channel
        self._act = act

    @property
    def connections(self) -> MemoryProducers:
        """The pool of connections: the one is that of this."""
        return self

    @contextmanager
    def acquire(self, **_: Any) -> Iterator[Producer]:
        """Yield a producer."""
        yield Producer(self._channel, auto_declare=False)
        self._act()
