"""A connection that refuses to be opened: what needs a server says so where it needs it."""

from __future__ import annotations

from typing import Any, NoReturn

from kombu import Connection
from kombu.transport import virtual

from flaskiq.errors import ModeError

_Transport: Any = virtual.Transport  # kombu has no types for it


class RefusingTransport(_Transport):
    """Celery may ask for its names, which are those of Redis."""

    driver_type = driver_name = "redis"

    def establish_connection(self) -> NoReturn:
        """Refuse.

        Raises:
            ModeError: always.
        """
        raise ModeError(
            "something asks for a connection to the broker, and in flaskiq.testing's fake and "
            "inline there is none; use `with real():` or the fixture flaskiq_worker"
        )


def refusing() -> Connection:
    """Return such a connection."""
    return Connection(transport=RefusingTransport)
