"""The watcher in the workers, and the program ``flaskiq chords``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from celery import chord, group
from command import Command
from processes import Process, Project
from redis import Redis
from waiting import until

from flaskiq import api, current
from flaskiq.chords import Verdict, watched, worker_health_check
from flaskiq.chords import chord as look

Start = Callable[..., Process]


def lost_chord(jobs: ModuleType, store: Redis, *more: Any) -> Any:
    """Publish a chord, and delete the message of its first part."""
    result = chord(group(jobs.Double.s(1), *(more or [jobs.Double.s(2)])), jobs.Collect.s())()
    (raw,) = store.lrange("default", -1, -1)
    assert json.loads(raw)["headers"]["id"] == result.parent.results[0].id
    store.lrem("default", 1, raw)
    return result


def test_it_tells_of_a_stuck_chord(jobs: ModuleType, store: Redis, start: Start) -> None:
    worker = start(FLASKIQ_CHORD_WATCH="1")
    result = chord(group(jobs.Double.s(1), jobs.Hold.s("x")), jobs.Collect.s())()
    until(lambda: store.get("held:x") == "1", "it runs")
    store.delete(f"celery-taskset-meta-{result.parent.id}.s")
    until(lambda: watched().get("stuck") == 1, "it was seen")
    assert watched()["active"] == 1
    assert watched()["oldest_seconds"] > 1
    worker.wait_for(f"Chord {result.parent.id} (chord_app.Collect) is stuck: counter expired")
    assert worker_health_check() == {
        "status": "unhealthy", "active_chord_unlocks": 1, "stuck_chords": 1,
    }  # fmt: skip


def test_it_recovers_if_it_may(jobs: ModuleType, store: Redis, start: Start) -> None:
    result = lost_chord(jobs, store)
    start(FLASKIQ_CHORD_WATCH="1", FLASKIQ_CHORD_RECOVER="true")
    assert result.get(timeout=30) == [2, 4]
    (act,) = current.state().store.chords.acts()
    assert (act.chord, act.act, act.part) == (
        result.parent.id,
        "requeue",
        result.parent.results[0].id,
    )
    until(lambda: watched()["active"] == 0, "it is over")


def test_without_chords_the_program_says_so(run: Command, jobs: ModuleType) -> None:
    assert run("chords").out.startswith("No chords are under way.")
    assert run("chords", "status").out == run("chords").out
    assert run("chords", "check").out.startswith("No stuck chords")
    assert run("chords", "fix").out == "No stuck chords.\n"
    assert run("chords", "revoke").out == "No stuck chords.\n"
    assert run("chords", "clean", "--force").out == "Cleaned 0 parts of 0 chords.\n"
    assert "No chord x is known" in run("chords", "inspect", "x", code=1).err
    assert "No chord x is known" in run("chords", "recover", "x", code=1).err
    run("chords", "check", "--max-hours", "-1", code=2)
    run("chords", "inspect", code=2)


def test_the_life_of_a_stuck_chord(
    run: Command, jobs: ModuleType, store: Redis, start: Start
) -> None:
    result = lost_chord(jobs, store)
    chord_id, part = result.parent.id, result.parent.results[0].id
    found = run.json("chords", "status")
    assert (found["active"], found["stuck"]) == (1, 1)
    (each,) = found["chords"]
    assert (each["verdict"], each["missing"], each["body"]) == ("lost", 2, "chord_app.Collect")
    assert chord_id in run("chords", "status").out
    assert "1 chord stuck" in run("chords", "check", code=1).out
    assert run.json("chords", "check", code=1)["stuck"] == 1
    shown = run("chords", "inspect", chord_id, code=1).out
    assert f"{part}  PENDING  nowhere" in shown
    planned = run("chords", "recover", chord_id, "--dry-run").out
    assert f"would requeue {part} chord_app.Double to queue default" in planned
    assert run("chords", "fix", code=1).out.endswith("add --yes.\n")
    assert look(chord_id).verdict is Verdict.LOST
    declined = run.at_terminal("chords", "fix", answer="n")
    assert (declined.code, look(chord_id).verdict) == (1, Verdict.LOST)
    fixed = run.json("chords", "fix", "--yes")
    assert (fixed["stuck"], list(fixed["fixed"]), fixed["left"]) == (1, [chord_id], [])
    start()
    assert result.get(timeout=20) == [2, 4]

    def shown() -> str:
        return str(run("chords", "inspect", result.id, "--verbose").out)

    assert "requeue" in shown()
    # A part is in flight until its worker fetches again.
    until(lambda: shown().count("SUCCESS") == 2, "its parts have succeeded")


def test_revoke_and_its_dry_run(run: Command, jobs: ModuleType, store: Redis) -> None:
    result = lost_chord(jobs, store)
    assert "would revoke" in run("chords", "revoke", "--max-hours", "1", "--dry-run").out
    assert result.state == "PENDING"
    assert "revoke" in run("chords", "revoke", "--max-hours", "1", "--yes").out
    assert result.state == "FAILURE"
    assert store.llen("default") == 0
    run("chords", "check")


def test_clean_counts_first(run: Command, jobs: ModuleType, store: Redis) -> None:
    stuck = lost_chord(jobs, store)
    healthy = chord(group(jobs.Double.s(1), jobs.Double.s(2)), jobs.Collect.s())()
    jobs.Double.perform_async(9)
    said = run("chords", "clean", code=1).out
    assert said == "Would clean 2 parts of 1 chord; add --force.\n"
    assert store.llen("default") == 4
    assert run.json("chords", "clean", "--force")["parts"] == 2
    assert (stuck.state, healthy.state, store.llen("default")) == ("FAILURE", "PENDING", 3)
    found = run.json("chords", "clean", "--force", "--all-queues")
    assert (found["parts"], found["queues"]["default"]) == (2, 1)
    assert (healthy.state, api.Queue("default").size) == ("FAILURE", 0)


def test_the_module_is_the_same_program(folder: Project, jobs: ModuleType) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flaskiq.chords", "check", "--json"],
        cwd=folder.folder,
        env=folder.environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"stuck": 0, "max_hours": 1.0, "chords": []}


def test_without_redis_results(run: Command, folder: Project) -> None:
    env = {"CELERY_RESULT_BACKEND": "disabled://"}
    done = Command(folder.folder, folder.environ(**env))("chords", "status", code=1)
    assert "set CELERY_RESULT_BACKEND=redis://" in done.err


@pytest.mark.parametrize("name", ["requeue", "fail"])
def test_two_repairs_at_once(jobs: ModuleType, store: Redis, run: Command, name: str) -> None:
    result = lost_chord(jobs, store)
    chords = current.state().store.chords
    words = ["chords", "recover", result.parent.id, *(["--fail"] if name == "fail" else [])]
    with chords.lock(result.parent.id, 60):
        assert "somebody else repairs" in run(*words, code=1).err
        assert "somebody else repairs" in run("chords", "clean", "--force", code=1).err
        assert run.json("chords", "fix", "--yes", code=1)["left"] == [result.parent.id]
    run(*words)
    assert [act.act for act in chords.acts()] == [name]
