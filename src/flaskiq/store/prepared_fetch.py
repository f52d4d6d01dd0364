"""PreparedFetch: the fetch of one process from the same lists again and again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, groupby
from operator import attrgetter
from typing import NamedTuple

from flaskiq.message import DEATHS_HEADER
from flaskiq.store import script
from flaskiq.store.keys import Keys

DEATHS_MARK = f'"{DEATHS_HEADER}": '
"""How the header looks inside a message; the fetch script searches for it."""


class Source(NamedTuple):
    """A list to fetch from, and how many jobs one fetch takes from it at most."""

    queue: str
    list: str
    most: int


class PreparedFetch:
    """Packs fetches in the protocol of Redis; what is the same for all of them only once.

    A fetch from three queues has thirty arguments about their lists and priorities, and it is the
    command that a busy process sends for each job.
    """

    def __init__(self, keys: Keys, process: str, sources: Sequence[Source]) -> None:
        self.queues = [source.queue for source in sources]
        names = [keys.inflight(process), keys.processes, *(source.list for source in sources)]
        groups = [(len(list(same)), most) for most, same in groupby(sources, attrgetter("most"))]
        kept: list[str | int] = ["EVALSHA", script.sha("fetch"), len(names), *names]
        kept += [DEATHS_MARK, keys.wake, len(groups), *self.queues, *chain(*groups)]
        self._kept, self._length = _bulk(kept), len(kept)

    def pack(self, *, credit: int, seq: int, acks: Sequence[int], woken: bool) -> bytes:
        """Return the command for one fetch.

        ``woken``: the process waits for a wake token before, and passes it on.
        """
        own = (credit, seq, int(woken), *acks)
        return b"*%d\r\n%b%b" % (self._length + len(own), self._kept, _bulk(own))


def _bulk(parts: Sequence[str | int]) -> bytes:
    encoded = [str(part).encode() for part in parts]
    return b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in encoded])
