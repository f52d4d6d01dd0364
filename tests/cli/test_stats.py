"""``flaskiq stats``: totals, days, and each Worker."""

from __future__ import annotations

from datetime import datetime, timezone
from types import ModuleType

from command import Command
from fleet import StartWorker
from waiting import until

from flaskiq import api


def test_stats(command: Command, sample: ModuleType, start_worker: StartWorker) -> None:
    empty = command("stats").out
    assert "No job ended in the last 60 minutes." in empty
    start_worker()
    sample.Add.perform_bulk([(n, 0) for n in range(20)])
    sample.FailsSlowly.perform_async()
    sample.Doomed.set(max_retries=0).perform_async("fail")
    sample.Add.perform_in(500, 1, 2)
    until(lambda: api.Stats().processed == 22, "all is counted")

    found = command.json("stats", "--minutes", "10", "--days", "2")
    today = str(datetime.now(timezone.utc).date())
    assert [found[name] for name in ("processed", "failed", "minutes")] == [22, 2, 10]
    assert [found[name] for name in ("enqueued", "busy")] == [0, 0]
    assert [found[name] for name in ("scheduled", "retries", "dead")] == [1, 1, 1]
    assert found["endings"]["done"] == 20
    assert found["days"][0] == {"day": today, "processed": 22, "failed": 2}
    assert len(found["days"]) == 2
    first, *others = found["workers"]
    assert (first["name"], first["processed"], first["failed"]) == ("sample.Add", 20, 0)
    assert 0 < first["p50"] <= first["p95"] <= first["p99"]
    assert first["mean"] > 0
    assert {each["name"]: each["failed"] for each in others} == {
        "sample.FailsSlowly": 1,
        "sample.Doomed": 1,
    }
    text = command("stats").out
    assert all(word in text for word in ("PROCESSED", today, "sample.Add", "P99"))
    assert "--minutes" in command("stats", "--minutes", "481", code=2).err
