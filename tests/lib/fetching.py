"""Fetches as a process does, without a channel."""

from __future__ import annotations

from collections.abc import Sequence

from flaskiq.store.prepared_fetch import PreparedFetch, Source
from flaskiq.store.processes import Fetch
from flaskiq.store.results import StateOf
from flaskiq.store.store import Store


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
        return Fetch.parse(connection.read_response(), prepared.queues)
    finally:
        jobs.client.connection_pool.release(connection)
