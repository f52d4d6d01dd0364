"""Connection: a ``redis://`` URL that opens our transport."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.connection import ConnectionPool, PooledConnection
from kombu.utils.collections import HashedSeq

from flaskiq.broker.channel import PATIENCE
from flaskiq.broker.transport import OURS

if TYPE_CHECKING:
    from celery import Celery
    from kombu import Connection as _Base

    from flaskiq.store.store import Store
else:
    _Base = object


class FlaskiqConnection(_Base):
    """Mixin for a Connection class.

    The name of the transport stays ``redis``: Flower, mingle and ``worker_disable_prefetch`` go by
    it, and ``as_uri`` shows it.
    """

    def get_transport_cls(self) -> Any:
        """Return our transport in place of kombu's own for Redis."""
        stock: Any = super().get_transport_cls()
        return OURS.get(stock, stock)

    def Pool(self, limit: int | None = None, **kwargs: Any) -> Any:  # noqa: N802 - kombu's name
        """Return a pool of connections like this one: kombu's makes plain ones."""
        return Pool(self, limit, **kwargs)

    def __eqhash__(self) -> Any:
        """Keep kombu's shared pools apart: a stock connection to the same URL is another thing."""
        return HashedSeq("flaskiq", *super().__eqhash__())


class Pooled(FlaskiqConnection, PooledConnection):
    """A connection of a pool, from which Celery publishes."""


class Pool(ConnectionPool):
    """A pool of :class:`Pooled` connections."""

    def new(self) -> Any:
        """Return a connection that is not open yet."""
        parameters = self.connection._info(resolve=False)  # noqa: SLF001 - as kombu's own pool
        return Pooled(self, **dict(parameters))  # type: ignore[arg-type] # the stubs have no pool


def open_store(celery: Celery, patience: float = PATIENCE) -> Store:
    """Return the broker's store with connections of its own, for a thread or a tool.

    After ``patience`` seconds without an answer it raises ``redis.TimeoutError``.

    Raises:
        redis.RedisError: Redis cannot be reached.
    """
    with celery.connection_for_write() as connection:
        channel: Any = connection.channel()
        store: Store = channel.make_store(patience)
    return store
