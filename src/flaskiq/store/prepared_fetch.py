"""PreparedFetch: the fetch of one process from the same lists again and again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, groupby
from operator import attrgetter
from typing import Any, NamedTuple

from hiredis import pack_command

from flaskiq.message import DEATHS_HEADER
from flaskiq.store import script
from flaskiq.store.keys import Keys
from flaskiq.store.results import SUCCESS, StateOf

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
    command that a busy process sends for each job. The queues have the same number of lists, and in
    ``sources`` they take turns.
    """

    def __init__(self, keys: Keys, process: str, sources: Sequence[Source]) -> None:
        self.queues = [source.queue for source in sources]
        names = [keys.inflight(process), keys.processes, *(source.list for source in sources)]
        groups = [(len(list(same)), most) for most, same in groupby(sources, attrgetter("most"))]
        queues = list(dict.fromkeys(self.queues))
        kept: list[str | int] = [DEATHS_MARK, keys.wake, SUCCESS, len(names) - 2, len(groups)]
        kept += [len(queues), *queues, *chain(*groups)]
        self._script = _bulk(["EVALSHA", script.sha("fetch")])
        self._names, self._keys = _bulk(names), len(names)
        self._kept, self._length = _bulk(kept), 3 + len(names) + len(kept)

    def pack(
        self,
        *,
        credit: int,
        seq: int,
        acks: Sequence[int],
        woken: bool,
        results: Sequence[StateOf] = (),
    ) -> bytes:
        """Return the command for one fetch.

        ``woken``: the process waits for a wake token before, and passes it on. ``results`` are
        those of the first of ``acks``.
        """
        keys = [result.key for result in results]
        own: list[str | int] = [credit, seq, int(woken)]
        own += [part for result in results for part in (result.value, result.expires)]
        own += acks
        return b"*%d\r\n%b%b%b%b%b%b" % (
            self._length + len(keys) + len(own),
            self._script,
            _bulk([self._keys + len(keys)]),
            self._names,
            _bulk(keys),
            self._kept,
            _bulk(own),
        )


def _bulk(parts: Sequence[Any]) -> bytes:
    """Return texts and numbers without the line that says how many there are."""
    packed: bytes = pack_command(tuple(parts))
    return packed[packed.index(b"\n") + 1 :]
