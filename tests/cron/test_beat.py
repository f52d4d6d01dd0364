"""Schedulers as programs: which of them enqueues, alone, in a worker, and beside Celery's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import redis
from processes import Project
from waiting import until

LIB = str(Path(__file__).parent / "lib")
BEAT = ("celery", "-A", "cron_app:celery_app", "beat", "--loglevel=INFO")
STOCK = ("-S", "celery.beat:PersistentScheduler")


def length(store: redis.Redis, queue: str = "low") -> int:
    return int(store.llen(queue))


def test_celerys_scheduler_leaves_the_entries_to_flaskiqs(
    project: Project, store: redis.Redis
) -> None:
    stock = project.start(*BEAT, *STOCK, PYTHONPATH=LIB)
    stock.wait_for("cron entries belong to Flaskiq's (none runs now: start `flaskiq beat`)")
    own = project.start(*BEAT, PYTHONPATH=LIB)
    until(lambda: length(store) > 0, "Flaskiq's enqueues")
    other = project.start(*BEAT, *STOCK, "-s", "another", PYTHONPATH=LIB)
    other.wait_for(f":{own.pid}:")
    assert "belong to Flaskiq's (it runs as " in other.output


def test_celerys_scheduler_runs_them_if_it_is_to(project: Project, store: redis.Redis) -> None:
    env = {"PYTHONPATH": LIB, "FLASKIQ_SCHEDULER": "celery"}
    project.start(*BEAT, *STOCK, **env)
    until(lambda: length(store) > 1, "it enqueues")
    assert store.keys("flaskiq:cron:*") == []


def test_it_is_celerys_by_default_then(project: Project, store: redis.Redis) -> None:
    beat = project.start(*BEAT, PYTHONPATH=LIB, FLASKIQ_SCHEDULER="celery")
    beat.wait_for("celery.beat.PersistentScheduler")
    until(lambda: length(store) > 0, "it enqueues")


def test_a_worker_runs_the_scheduler_too(project: Project, store: redis.Redis) -> None:
    env = {"PYTHONPATH": LIB, "FLASKIQ_BEAT_IN_WORKER": "1", "CRON_ENTRIES": '["once"]'}
    project.start("flaskiq", "-A", "cron_app:app", "worker", "start", "-c", "2", **env)

    def runs() -> list[dict[str, Any]]:
        command = ["flaskiq", "-A", "cron_app:app", "--json", "cron", "show", "once"]
        code = f"import sys; sys.argv = {command}; from flaskiq.cli import main; main()"
        found: list[dict[str, Any]] = json.loads(project.python(code, **env))["runs"]
        return found

    until(lambda: store.exists("flaskiq:cron:runs:once"), "it enqueues")
    until(lambda: "done" in [each["outcome"] for each in runs()], "a run has ended")
    assert {each["how"] for each in runs()} <= {"due", "late"}
    tokens = {str(store.get("flaskiq:cron:leader")).partition("/")[0] for _ in range(3)}
    assert len(tokens) == 1, "one process leads"


@pytest.mark.slow
def test_of_an_entry_that_left_the_code_nothing_is_left(
    project: Project, store: redis.Redis
) -> None:
    """Half a minute after a scheduler has had it last: others may still run the former code."""
    first = project.start(*BEAT, PYTHONPATH=LIB)
    until(lambda: length(store, "default") > 0 and length(store) > 0, "both are enqueued")
    first.end()
    store.delete("default")
    project.start(*BEAT, PYTHONPATH=LIB, CRON_ENTRIES='["once"]')
    until(lambda: not store.keys("flaskiq:cron:*all*"), "it is forgotten", timeout=60)
    assert store.zrange("flaskiq:cron:entries", 0, -1) == ["once"]
    before = length(store)
    until(lambda: length(store) > before, "the other goes on")
    assert length(store, "default") == 0
