"""What a child has in its memory, and what it does without."""

from __future__ import annotations

from types import ModuleType

import pytest
from pool_node import StartNode

OF_OTHERS = ("celery.concurrency.prefork", "flaskiq.api", "flaskiq.chords", "flaskiq.web")
"""Another pool, and what reads from Redis: no job has asked for any of it."""


@pytest.mark.newest
def test_a_child_has_loaded_nothing_that_only_others_need(
    pool_jobs: ModuleType, start_node: StartNode
) -> None:
    start_node("-c", "1", children=1)
    loaded = pool_jobs.Modules.perform_async().get(timeout=20)
    assert "flaskiq.chord_watch" in loaded, "it watches over chords all the same"
    assert [name for name in loaded if name.startswith(OF_OTHERS)] == []
