"""``apply_async(priority=n)`` keeps kombu's meaning: four lists for each queue, 0 first."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from fleet import LIB
from processes import Project
from redis import Redis
from waiting import until

LISTS = ["default", "default\x06\x163", "default\x06\x166", "default\x06\x169"]


def fill(sample: ModuleType) -> None:
    for priority in (9, 6, 3, 0, 4, 8):
        sample.Sleeps.s(f"priority {priority}", 0).apply_async(priority=priority)


def test_jobs_are_taken_in_their_order(sample: ModuleType, store: Redis, start_worker: Any) -> None:
    fill(sample)
    sample.Sleeps.s("critical 9", 0).set(queue="critical").apply_async(priority=9)
    assert [store.llen(name) for name in LISTS] == [1, 2, 2, 1]
    start_worker()
    until(lambda: store.llen("record:ended") == 7, "all have run")
    assert store.lrange("record:started", 0, -1) == [f"priority {n}" for n in (0, 3, 4, 6, 8)] + [
        "critical 9",
        "priority 9",
    ]


def test_the_size_of_a_queue_counts_all_four(sample: ModuleType, store: Redis) -> None:
    fill(sample)
    with sample.celery_app.connection_for_read() as connection:
        declared = connection.default_channel.queue_declare("default", passive=True)
    assert declared.message_count == 6


def test_purge_empties_all_four(sample: ModuleType, store: Redis, project: Project) -> None:
    fill(sample)
    later = sample.Sleeps.perform_in(3600, "later", 0)
    purge = project.start("celery", "-A", "sample:celery_app", "purge", "-f", PYTHONPATH=LIB)
    assert purge.wait() == 0
    assert "Purged 6 messages" in purge.output
    assert [store.llen(name) for name in LISTS] == [0, 0, 0, 0]
    assert store.zscore("flaskiq:scheduled", later.id), "what waits for a time is in no queue"
