"""How a job is kept outside of its ready list: where it belongs, and its message, untouched."""

from __future__ import annotations

from typing import NamedTuple

_SEPARATOR = b"\0"


class Placed(NamedTuple):
    """A message and the place that it belongs to; packed as ``queue NUL list NUL message``.

    ``list`` is the key of the queue's list or of one of its priority sub-lists. Scripts move the
    bytes of the message as they are: cjson would turn ``[]`` into ``{}``.
    """

    queue: str
    list: str
    message: bytes

    def pack(self) -> bytes:
        """Return the value for Redis."""
        return _SEPARATOR.join((self.queue.encode(), self.list.encode(), self.message))

    @classmethod
    def unpack(cls, value: bytes) -> Placed:
        """Read what :meth:`pack` made."""
        queue, key, message = value.split(_SEPARATOR, 2)
        return cls(queue.decode(), key.decode(), message)
