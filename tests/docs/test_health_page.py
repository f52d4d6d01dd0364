"""docs/health.md: its commands run, and its paths are those that are answered."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, cast

import requests
from processes import Process, Project
from servers import free_port
from waiting import until

from flaskiq.health.access import Access
from flaskiq.health.program import Program
from flaskiq.health.site import Site

PAGE = (Path(__file__).parents[2] / "docs/health.md").read_text()
COMMANDS = re.findall(r"^(?:kubectl exec \S+ -- )?(curl .*)$", PAGE, re.MULTILINE)
APP = """
from flask import Flask
from flaskiq import Flaskiq
app = Flask("shop")
celery_app = Flaskiq(app).celery
"""


def test_the_paths_of_the_page_are_those_that_are_answered() -> None:
    site = Site(Program("", "", {}, (), ()), cast("Any", None), Access())
    answered = {*site._open, *site._guarded}
    table = PAGE.partition("## What is asked")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(/[\w/]*)`", table)) == answered
    assert set(re.findall(r"path: (/[\w/]+)", PAGE)) <= answered


def test_the_commands_of_the_page_run(project: Project) -> None:
    project.write("app.py", APP)
    (start,) = re.findall(r"^HEALTH_PORT=8080 (flaskiq .*)$", PAGE, re.MULTILINE)
    port = str(free_port())
    env = {"HEALTH_PORT": port, "HEALTH_TOKEN": "of-the-page", "FLASKIQ_APP": "app:app"}
    worker = project.start(*start.split(), **env)
    worker.wait_for(" ready.")
    until(lambda: requests.get(f"http://127.0.0.1:{port}/health").ok, "it is ready")
    assert len(COMMANDS) == 7
    printed = [run(project, command.replace("8080", port), worker, **env) for command in COMMANDS]
    assert printed[0] == "pong\n"
    assert list(json.loads(printed[1])) == list(shown())
    assert list(json.loads(printed[1])["details"]) == list(shown()["details"])
    assert printed[2].startswith("HTTP/1.0 200 OK")
    assert all("Unauthorized" not in each for each in printed)


def shown() -> dict[str, Any]:
    """The answer that the page shows."""
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    return dict(json.loads(text))


def run(project: Project, command: str, worker: Process, **env: str) -> str:
    done = subprocess.run(
        ["bash", "-c", command],
        env=project.environ(**env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}\n{worker.output}"
    return done.stdout
