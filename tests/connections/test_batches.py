"""kombu's publish batches: many jobs in one round trip, whatever the options."""

from __future__ import annotations

import json
from typing import Any

import pytest
from overrides import OVERRIDES
from redis import Redis
from servers import Server

BULK = """
from datetime import datetime
from sample import Add, app
with app.app_context():
    results = Add.perform_bulk([(n, 0) for n in range(2000)])
    late = Add.perform_bulk([(n, 0) for n in range(500)], at=datetime(2100, 1, 1))
    print(len({each.id for each in [*results, *late]}))
"""


@pytest.mark.parametrize("prefix", ["", "shop:"])
@pytest.mark.parametrize("retry_on_timeout", [False, True])
def test_bulk_is_one_round_trip_for_a_thousand(
    server: Server, store: Redis, elsewhere: Any, retry_on_timeout: bool, prefix: str
) -> None:
    options = {"retry_on_timeout": retry_on_timeout, "global_keyprefix": prefix}
    project = elsewhere(
        server.url, **{OVERRIDES: json.dumps({"broker_transport_options": options})}
    )
    before = int(store.info("stats")["total_reads_processed"])
    assert project.python(BULK) == "2500"
    assert store.llen(f"{prefix}default") == 2000
    assert store.zcard(f"{prefix}flaskiq:scheduled") == 500
    # The server reads at most 16 kB at a time, and a job has less than one.
    assert int(store.info("stats")["total_reads_processed"]) - before < 400


def test_a_batch_is_not_sent_twice(server: Server, elsewhere: Any, store: Redis) -> None:
    """Nobody knows whether a batch arrived whose answer is late: redis-py must not repeat it."""
    project = elsewhere(
        server.url,
        **{OVERRIDES: json.dumps({"broker_transport_options": {"retry_on_timeout": True}})},
    )
    printed = project.python("""
from sample import celery_app
with celery_app.connection_for_write() as connection:
    channel = connection.default_channel
    with_batch = channel.create_publish_batch(10).pipeline.connection_pool
    for pool in (channel.pool, with_batch):
        print(pool.make_connection().retry.get_retries())
""")
    assert printed.split() == ["1", "0"]
