"""Fetches as a process does, without a channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flaskiq.store.prepared_fetch import PreparedFetch, Source
from flaskiq.store.processes import Fetched, read_fetch
from flaskiq.store.results import StateOf
from flaskiq.store.store import Store


class Fetch(NamedTuple):
    """What a fetch brought; ``acknowledged`` counts the fields that were still in flight."""

    acknowledged: int
    jobs: list[Fetched]


def fetch_from(
    jobs: Store,
    process: str,
    sources: Sequence[Source],
    *,
    credit: int,
    seq: int,
    acks: Sequence[int] = (),
    woken: bool = False,
    results: Sequence[StateOf] = (),
) -> Fetch:
    """Run one fetch, and return what it brought."""
    prepared = PreparedFetch(jobs.keys, process, sources)
    connection = jobs.client.connection_pool.get_connection()
    try:
        command = prepared.pack(credit=credit, seq=seq, acks=acks, woken=woken, results=results)
        connection.send_packed_command([command])
        return Fetch(*read_fetch(connection.read_response(), prepared.queues))
    finally:
        jobs.client.connection_pool.release(connection)
