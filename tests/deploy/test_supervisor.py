"""supervisor/flaskiq.conf: parsed, and its command lines run by a real supervisord."""

from __future__ import annotations

import re
import shutil
import signal
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest
import requests
from processes import Process, Project
from servers import free_port
from waiting import until

from flaskiq.settings.table import TABLE

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FILE = ROOT / "supervisor/flaskiq.conf"

MAIN = """
[supervisord]
nodaemon=true
[include]
files=flaskiq.conf
"""


def programs() -> RawConfigParser:
    """Return the sections of the file."""
    parser = RawConfigParser(inline_comment_prefixes=(" ;",))
    parser.read_string(FILE.read_text())
    return parser


def test_each_program_starts_again_and_has_time_to_stop() -> None:
    (timeout,) = (each.default for each in TABLE if each.name == "FLASKIQ_SHUTDOWN_TIMEOUT")
    parser = programs()
    assert parser.sections() == [f"program:flaskiq-{each}" for each in ("web", "worker", "beat")]
    for section in parser.sections():
        program = parser[section]
        assert program["user"] == "flaskiq"
        assert program.getboolean("autostart")
        assert program.getboolean("autorestart")
        assert program.getint("stopwaitsecs") >= timeout + 15
        assert program.get("stopsignal", "TERM") == "TERM"
        assert not program.getboolean("stopasgroup", fallback=False)
        assert "URL" not in program.get("environment", "")


@pytest.fixture
def ports() -> dict[str, int]:
    """A free port for each that the file names."""
    named = re.findall(r'(?::|PORT=")(\d{4})\b', FILE.read_text())
    assert sorted(named) == ["8000", "8080", "8081", "9540"]
    return {name: free_port() for name in named}


@pytest.fixture
def supervisord(project: Project, ports: dict[str, int]) -> Process:
    """A running supervisord with the file, but for its folders, user and ports."""
    for name in ("celery_app.py", "server.py"):
        shutil.copy(ROOT / name, project.folder)
    for name in ("workers", "templates", "static"):
        shutil.copytree(ROOT / name, project.folder / name)
    text = FILE.read_text()
    for was, now in {
        "/opt/flaskiq/bin": str(Path(sys.executable).parent),
        "/srv/flaskiq": str(project.folder),
        "/var/log": str(project.folder),
        "user=flaskiq\n": "",
        **{was: str(now) for was, now in ports.items()},
    }.items():
        assert was in text
        text = text.replace(was, now)
    project.write("flaskiq.conf", text)
    main = project.write("supervisord.conf", MAIN)
    return project.start("supervisord", "--configuration", str(main))


def is_ok(url: str) -> bool:
    """Whether something answers with 200."""
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def test_its_programs_run_and_stop_in_good_order(
    project: Project, supervisord: Process, ports: dict[str, int]
) -> None:
    def log(program: str) -> str:
        file = project.folder / f"flaskiq-{program}.log"
        return file.read_text() if file.exists() else ""

    def answers(port: str, path: str) -> None:
        url = f"http://127.0.0.1:{ports[port]}{path}"
        until(lambda: is_ok(url), f"{path}\n{supervisord.output}")

    until(lambda: " ready." in log("worker"), "the worker")
    until(lambda: "This scheduler leads" in log("beat"), "the scheduler")
    answers("8000", "/api/")
    answers("8080", "/health/ready")
    answers("8081", "/health/live")
    answers("9540", "/metrics")
    # What ends sooner than a second after its start counts as failed.
    until(lambda: supervisord.output.count("entered RUNNING state") == 3, "all run")
    supervisord.send(signal.SIGTERM)
    assert supervisord.wait() == 0
    for program in ("web", "worker", "beat"):
        assert f"stopped: flaskiq-{program} (exit status 0)" in supervisord.output
    assert "Warm shutdown" in log("worker")
