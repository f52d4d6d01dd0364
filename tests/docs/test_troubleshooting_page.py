"""docs/troubleshooting.md: each command of its tables is one that there is, and runs."""

from __future__ import annotations

import json
import re
import shlex

import pytest
from page import PAGES, Block, Terminal, blocks, stays
from processes import Project
from servers import free_port

PAGE = PAGES["troubleshooting.md"]
APP = next(block for block in blocks("cli.md") if block.file == "app.py")

COMMANDS = sorted(
    {
        command
        for line in PAGE.splitlines()
        if line.startswith("|")
        for command in re.findall(r"`((?:flaskiq|redis-cli|celery|curl) [^`]*)`", line)
        if not command.endswith("...")
    }
)

RUN_ALL = """
import json, sys
from click.testing import CliRunner
from flaskiq.cli import flaskiq
import app
for words in json.loads(sys.argv[1]):
    done = CliRunner().invoke(flaskiq, words)
    broke = done.exception is not None and not isinstance(done.exception, SystemExit)
    print(json.dumps([words, done.exit_code, broke, done.output[-400:]]))
"""

SYMPTOMS = (
    # flask-react-template
    "Workers not starting",
    "Jobs not executing",
    "High memory usage",
    "Jobs timing out",
    "Backend is unhealthy",
    "LLEN celery",
    # Rhesis
    "chord_unlock",
    "MaxRetriesExceededError",
    "Infinite retry loop, zombie tasks",
    "A part fails for good",
    "The broker was away during a chord",
    "A worker was killed during a chord",
    'unrecognized configuration parameter "app.current_organization"',
    "No connection to broker",
    "worker fails to start",
    "pg_trgm",
    "IN_PROGRESS",
    "malformed results",
    "Missing model API keys",
    # Gnosari
    "tasks not processing",
    "memory issues",
    "Performance issues",
    "queue backlog",
    "The environment variable is not read",
    # what people say
    "worker not picking up tasks",
    "Stuck in `PENDING`",
    "connection refused",
    "Duplicated cron jobs",
    "The chord never completes",
)
"""What the guides of the three systems call a symptom or a cause."""


@pytest.mark.parametrize("symptom", SYMPTOMS)
def test_a_symptom_of_the_guides_is_on_the_page(symptom: str) -> None:
    assert [line for line in PAGE.splitlines() if line.startswith("|") and symptom in line]


def test_every_row_says_whether_it_can_occur_and_how_to_see_it() -> None:
    section = ""
    for line in PAGE.splitlines():
        section = line if line.startswith("## ") else section
        cells = re.sub(r"\\\\\|", "/", line).strip("|").split(" | ")
        if len(cells) != 5 or "symptom" in line:
            continue
        _, here, cause, shows, cure = (cell.strip() for cell in cells)
        assert here.startswith(("yes", "no", "seldom")), line
        if here != "no":
            assert shows, line
            assert cause or cure, line


def is_ours(command: str) -> bool:
    """Whether a command can run in one process with others."""
    return command.startswith("flaskiq ") and "worker start" not in command


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_page_runs(project: Project) -> None:
    project.write(str(APP.file), APP.code)
    project.write("celery_app.py", "import app; celery_app = app.flaskiq.celery")
    port = free_port()
    worker = project.start(
        "flaskiq", "-A", "app", "worker", "start", "--concurrency=1", HEALTH_PORT=str(port)
    )
    worker.wait_for(" ready.")
    job_id = project.python(
        "from app import *; app.app_context().push();"
        "job = Welcome.perform_async('Ada'); job.get(timeout=20); print(job.id)"
    )
    terminal = Terminal(project, {"ID": job_id, "localhost:8080": f"127.0.0.1:{port}"})
    terminal.read("troubleshooting.md")
    here = [each for each in COMMANDS if not stays(each)]  # other pages start what stays
    for command in here:
        if not is_ours(command):
            terminal.type(Block("troubleshooting.md", 0, "sh", f"{command}\n"))
    typed = [shlex.split(each.replace("ID", job_id))[1:] for each in here if is_ours(each)]
    assert len(typed) >= 30
    done = project.python_result(f"import sys; sys.argv = ['', {json.dumps(typed)!r}]\n{RUN_ALL}")
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        words, code, broke, output = json.loads(line)
        assert not broke, (words, output)
        assert code in (0, 1), (words, output)
    terminal.end()
