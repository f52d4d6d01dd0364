"""What kombu loads in place of its own Redis transports."""

from __future__ import annotations

from typing import Any

from kombu.transport import redis

from flaskiq.broker.channel import OPTIONS, Channel


class Transport(redis.Transport):
    """``redis://``, ``rediss://`` and ``redis+socket://``."""

    Channel = Channel


_SentinelChannel: Any = redis.SentinelChannel


class SentinelChannel(Channel, _SentinelChannel):
    """A channel to the master that Sentinel names."""

    from_transport_options = (*_SentinelChannel.from_transport_options, *OPTIONS)


class SentinelTransport(redis.SentinelTransport):
    """``sentinel://``."""

    Channel = SentinelChannel


OURS: dict[type, type] = {
    redis.Transport: Transport,
    redis.SentinelTransport: SentinelTransport,
}
"""kombu's transport -> ours."""
