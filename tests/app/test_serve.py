"""``make serve`` is ``flaskiq dev`` with the Procfile: all parts start, work and end together."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import psutil
import pytest
import requests
from processes import Project
from servers import free_port
from waiting import until

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "examples" / "data" / "weather.csv"


@pytest.fixture
def checkout(reference: Project) -> Project:
    """The reference application with its Procfile, and no broker in the environment."""
    shutil.copy(ROOT / "Procfile", reference.folder)
    return Project(reference.folder, {})


def test_the_whole_stack_by_one_command(checkout: Project) -> None:
    port, flower = free_port(), free_port()
    url, flower_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{flower}"
    run = checkout.start("flaskiq", "dev", "--port", str(port), "--flower-port", str(flower))
    try:
        run.wait_for(" ready.")
        run.wait_for("Running on")
        with SAMPLE.open("rb") as file:
            posted = requests.post(f"{url}/api/imports", files={"file": file}, timeout=20).json()
        job = f"{url}/api/jobs/{posted['job_id']}"
        seen = set()

        def done() -> bool:
            state = requests.get(job, timeout=20).json()
            seen.add((state["progress"] or {}).get("done"))
            return bool(state["state"] == "done")

        until(done, "the job is done")
        assert len(seen - {None}) >= 2
        assert requests.get(url, timeout=20).status_code == 200

        def flower_lists(path: str, word: str) -> bool:
            return word in requests.get(f"{flower_url}/api/{path}", timeout=20).text

        run.wait_for("flower")
        until(lambda: flower_lists("workers", "celery@"), "Flower lists the worker")
        until(lambda: flower_lists("tasks", "DataProcessingWorker"), "Flower lists the task")
        children = psutil.Process(run.pid).children(recursive=True)
        assert len(children) > 4
    finally:
        run.send(signal.SIGINT)
        assert run.wait() == 0
    assert [child for child in children if child.is_running()] == []
    for part in ("backend", "worker", "beat", "flower"):
        assert f"{part} ended" in run.output.replace("  ", " ")
