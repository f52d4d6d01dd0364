"""``flaskiq demo``: from an empty folder to an empty folder."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis
import requests
from processes import Process, Project
from servers import Server, free_port

# Asks the demo's Redis until it has something of each, and says so.
LOOK = """
from waiting import until

from flaskiq.api import CronEntry, Stats, batches, running
from flaskiq.chords import chords
from flaskiq.dev.demo.app import create_app

def here():
    stats, queues = Stats(), Stats().queues()
    return {
        "done": stats.endings["done"],
        "running": len(running()),
        "ready": queues["low"],
        "nobody's": queues["archive"],
        "scheduled": stats.scheduled,
        "retrying": stats.retries,
        "dead": stats.dead,
        "runs": sum(len(entry.runs()) for entry in CronEntry.all()),
        **{f"batch {each.state}": 1 for each in batches()},
        **{f"chord {each.verdict.value}": 1 for each in chords()},
    }

WANTED = {
    "done", "running", "ready", "nobody's", "scheduled", "retrying", "dead", "runs",
    "batch running", "batch success", "batch blocked", "chord running", "chord waiting",
}

with create_app().app_context():
    assert len(CronEntry.all()) >= 4
    until(lambda: WANTED <= {name for name, count in here().items() if count}, repr(here()))
"""

FAILURES = """
from flaskiq.api import DeadSet
from flaskiq.dev.demo.app import create_app
from waiting import until

with create_app().app_context():
    until(lambda: len({job.failure.error for job in DeadSet() if job.failure}) >= 3, "kinds")
"""


class Demo:
    """A folder with nothing in it, a temporary one, and what ``flaskiq demo`` makes of both."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.temporary = folder / "temporary"
        self.folder = folder / "empty"
        self.port = free_port()
        for each in (self.temporary, self.folder):
            each.mkdir()
        env = {"TMPDIR": str(self.temporary), "CELERY_BROKER_URL": broker}
        self.project = Project(self.folder, env)

    def start(self, *options: str, **env: str) -> Process:
        ports = ("--port", str(self.port), "--flower-port", str(free_port()))
        return self.project.start("flaskiq", "demo", *ports, *options, **env)

    def look(self, run: Process, code: str) -> None:
        """Run code that looks at the demo's Redis, until it has seen what it looks for."""
        lib = str(Path(__file__).parents[1] / "lib")
        self.project.python(code, CELERY_BROKER_URL=broker_of(run), PYTHONPATH=lib)

    @property
    def leftovers(self) -> list[str]:
        """What is in both folders, except what the test has written there."""
        found = [*self.temporary.iterdir(), *self.folder.iterdir()]
        return [path.name for path in found if not path.match("process-*.log")]


@pytest.fixture
def demo(tmp_path: Path, server: Server) -> Iterator[Demo]:
    demo = Demo(tmp_path, server.url)
    yield demo
    demo.project.end()


def broker_of(run: Process) -> str:
    run.wait_for("  broker  ")
    return str(re.findall(r"^  broker  (redis://\S+)", run.output, re.MULTILINE)[0])


def answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_it_shows_something_of_everything_and_leaves_nothing(
    demo: Demo, store: redis.Redis
) -> None:
    run = demo.start()
    page = f"http://127.0.0.1:{demo.port}/jobs/"
    run.wait_for(f"  page    {page}\n")
    run.wait_for("The first jobs are there, about 20 a second follow")
    demo.look(run, LOOK)
    demo.look(run, FAILURES)
    assert store.keys() == []  # the configured broker
    assert requests.get(page, timeout=10).status_code == 200
    assert requests.get(f"http://127.0.0.1:{demo.port}/", timeout=10).url == page
    assert "Traceback" not in run.output
    all_of_it = psutil.Process(run.pid).children(recursive=True)
    assert len(all_of_it) > 5
    broker = broker_of(run)

    run.send(signal.SIGINT)
    assert run.wait() == 0
    assert not answers(broker)
    assert [each for each in all_of_it if is_alive(each)] == []
    assert demo.leftovers == []


def test_it_ends_by_itself_after_so_many_seconds(demo: Demo) -> None:
    run = demo.start("--seconds", "3", ENABLE_FLOWER="no")
    assert run.wait() == 0
    assert "3 s are over" in run.output
    assert "flower" not in run.output
    assert demo.leftovers == []


def test_a_taken_port_is_told_before_anything_starts(demo: Demo) -> None:
    with socket.create_server(("127.0.0.1", demo.port)):
        run = demo.start()
        assert run.wait() == 1
    assert f"Port {demo.port} is taken, and backend needs it" in run.output
    assert "--port" in run.output
    assert "started" not in run.output
    assert demo.leftovers == []


@pytest.mark.parametrize("options", [["--rate", "0"], ["--seconds", "-1"], ["--port", "0"]])
def test_wrong_usage(demo: Demo, options: list[str]) -> None:
    run = demo.start(*options)
    assert run.wait() == 2
    assert options[0] in run.output


def test_without_the_extra_it_says_what_to_install(demo: Demo) -> None:
    done = demo.project.python_result(
        "import sys; sys.modules['watchfiles'] = None; sys.argv = ['flaskiq', 'demo']\n"
        "from flaskiq.cli import main; main()"
    )
    assert done.returncode == 1
    assert done.stderr == "Error: flaskiq demo needs watchfiles: pip install 'flaskiq[dev]'.\n"
