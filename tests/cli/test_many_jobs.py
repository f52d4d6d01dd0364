"""A hundred thousand jobs in the retry set: found and deleted without a slow command."""

from __future__ import annotations

from types import ModuleType

import pytest
from command import Command
from redis import Redis

from flaskiq import api
from flaskiq.failure import Failure
from flaskiq.message import Template
from flaskiq.store.place import Placed
from flaskiq.store.store import Store

COUNT = 100_000
AT_ONCE = 1_000
SLOW = 50_000
"""Microseconds from which on the server notes a command as slow."""


def stage(jobs: Store) -> None:
    """Fill the retry set as a long outage does: every other job is of the Worker ``Add``."""
    templates = [Template(f"sample.{name}", "low", {"retries": 1}) for name in ("Add", "Sleeps")]
    failure = Failure.of(OSError("no luck"), 1, traceback="x" * 1_500).pack()
    zset, messages, failures = jobs.retry.own_keys
    for start in range(0, COUNT, AT_ONCE):
        numbers = range(start, start + AT_ONCE)
        placed = {
            f"job-{number}": Placed(
                "low",
                "low",
                templates[number % 2].fill(f"job-{number}", [number, 0], {}, "root", {}).encode(),
            ).pack()
            for number in numbers
        }
        with jobs.client.pipeline(transaction=False) as pipe:
            pipe.zadd(zset, {f"job-{number}": 3e9 + number for number in numbers})
            pipe.hset(messages, mapping=placed)
            pipe.hset(failures, mapping=dict.fromkeys(placed, failure))
            pipe.execute()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_thousand_jobs_in_the_retry_set(
    command: Command, sample: ModuleType, jobs: Store, store: Redis
) -> None:
    stage(jobs)
    before = store.config_get("slowlog-log-slower-than")
    store.config_set("slowlog-log-slower-than", SLOW)
    store.slowlog_reset()
    try:
        assert command.json("retries")["size"] == COUNT
        found = command.json("jobs", "find", "job-77777")
        assert (found["state"], found["args"]) == ("retrying", [77777, 0])
        assert command.json("retries", "delete", "job-77777") == {"deleted": 1, "missing": []}
        assert command.json("jobs", "find", "job-77777")["state"] == "cancelled"

        done = command.at_terminal("retries", "delete", "--worker", "Add", answer="y", timeout=500)
        assert (done.code, done.out) == (0, "Deleted 50,000 jobs of the retry set.\n")
        assert "Delete 50,000 jobs of the retry set? [y/N]" in done.err
        shown = [f"{percent}%" for percent in range(100) if f" {percent}%" in done.err]
        assert len(shown) > 20, "the bar moves on chunk by chunk"
        assert "100%" in done.err
        assert len(api.RetrySet()) == COUNT // 2 - 1
        assert command.json("retries", "--worker", "Add")["jobs"] == []
        assert store.slowlog_get() == []
    finally:
        store.config_set("slowlog-log-slower-than", before["slowlog-log-slower-than"])
