"""What the command line and the web route say of batches."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from servers import Server

from flaskiq import Batch, Flaskiq, current, web

LIB = str(Path(__file__).parent / "lib")

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(own_server: Server) -> Run:
    """Run ``flaskiq batches``."""
    program = Path(sys.executable).parent / "flaskiq"
    env = {"CELERY_BROKER_URL": own_server.url, "PYTHONPATH": LIB, "PATH": "/usr/bin"}

    def run(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [program, "-A", "batch_app:celery_app", "batches", *words],
            capture_output=True, text=True, env=env, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr + done.stdout
        return done

    return run


def test_the_command(jobs: ModuleType, store: Redis, run: Run) -> None:
    assert run().stdout.startswith("No batches are known.")
    with Batch("greetings", properties={"colour": "red"}) as batch:
        first = jobs.Do.perform_async()
        jobs.Do.perform_async()
    current.state().store.batches.settle(batch.id, [(first.id, "dead")])
    (row,) = run().stdout.splitlines()[1:]
    assert row.split()[:6] == [batch.id, "blocked", "0", "2", "0", "1"]
    shown = run("show", batch.id).stdout
    assert f"Dead jobs block it; flaskiq batches retry {batch.id}\n  {first.id}" in shown
    assert "properties   colour=red" in shown
    found = json.loads(run("show", batch.id, "--json").stdout)
    assert (found["state"], found["pending"], found["dead_jobs"]) == ("blocked", 2, [first.id])
    assert "has no dead jobs" in run("retry", batch.id).stdout, "nobody has buried it"
    assert json.loads(run("cancel", batch.id, "--json").stdout)["skipped"] == 1
    assert json.loads(run("--json").stdout)[0]["state"] == "cancelled"
    assert "No batch nonsense is known" in run("show", "nonsense", code=1).stderr


def test_the_route(jobs: ModuleType, store: Redis, own_server: Server) -> None:
    app = Flask("route")
    app.config.update(CELERY_BROKER_URL=own_server.url, FLASKIQ_WORKERS=[])
    Flaskiq(app)
    app.register_blueprint(web.batches)

    @app.before_request
    def who() -> None:
        from flask import g, request

        g.organization_id = request.headers.get("X-Org")

    acting = current.act_for(current.state().tenancy.of({"organization_id": "acme"}))
    with Batch("of acme") as batch:
        jobs.Do.perform_async()
    current.cease(acting)

    def ask(batch_id: str, **headers: str) -> Any:
        token = current.act_for(None)  # as in a process that runs no job
        try:
            return app.test_client().get(f"/batches/{batch_id}", headers=headers)
        finally:
            current.cease(token)

    found = ask(batch.id, **{"X-Org": "acme"}).get_json()
    assert (found["description"], found["total"], found["state"]) == ("of acme", 1, "running")
    answers = [ask(batch.id, **{"X-Org": "other"}), ask(batch.id), ask("none", **{"X-Org": "acme"})]
    assert [each.status_code for each in answers] == [404] * 3
