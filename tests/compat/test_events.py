"""What ``celery events`` and Flower hear."""

from __future__ import annotations

import threading
from types import ModuleType
from typing import Any

from waiting import until

SUCCESS = ["task-received", "task-started", "task-succeeded"]


def test_a_listener_hears_the_life_of_a_job(sample: ModuleType, start_worker: Any) -> None:
    start_worker("--task-events")
    heard: list[dict[str, Any]] = []

    def types(job_id: str) -> list[str]:
        mine = [each for each in heard if each.get("uuid") == job_id]
        return [each["type"] for each in sorted(mine, key=lambda each: each["clock"])]

    with sample.celery_app.connection_for_read() as connection:
        receiver = sample.celery_app.events.Receiver(connection, handlers={"*": heard.append})
        listener = threading.Thread(target=receiver.capture)
        listener.start()
        try:
            # It wakes the workers up, and hears their heartbeat.
            until(lambda: heard, "the first event")
            result = sample.Add.perform_async(1, 2)
            failing = sample.Fails.perform_async(2)
            assert result.get(timeout=20) == 3
            assert failing.get(timeout=20) == 2
            until(lambda: types(result.id) == SUCCESS, "its events")
            # The second attempt may begin before the event of the first one's end leaves.
            both = sorted([*SUCCESS[:2], "task-retried", *SUCCESS])
            until(lambda: sorted(types(failing.id)) == both, "the events of both attempts")
            assert {each["hostname"] for each in heard if "uuid" in each} == {"worker1@test"}
        finally:
            receiver.should_stop = True
            listener.join()
