"""Tasks with ``acks_late=False``: at most once, and retried all the same."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from redis import Redis


def test_a_task_that_was_acknowledged_early_is_retried(
    sample: ModuleType, store: Redis, keep_worker: Any
) -> None:
    keep_worker("--concurrency=2")
    assert sample.early.apply_async(queue="default").get(timeout=20) == 1
    assert store.lrange("record:early", 0, -1) == ["0", "1"]
