"""docs/security.md: everything works for a Redis user that may do what the page lists, no more."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from page import Terminal, blocks
from processes import Project
from redis import Redis
from servers import Server, required
from waiting import until

from flaskiq.store import script

(ACL,) = [block for block in blocks("security.md") if "ACL SETUSER" in block.code]
RULES = shlex.split(ACL.code.replace("\\\n", " "))[1:]

APP = """
from flask import Flask
from flaskiq import Flaskiq, Worker, current_job

app = Flask(__name__)
flaskiq = Flaskiq(app, dashboard="/jobs")
celery_app = flaskiq.celery

class Add(Worker):
    @classmethod
    def perform(cls, left: int, right: int) -> int:
        return left + right

class Total(Worker):
    @classmethod
    def perform(cls, results: list) -> int:
        return sum(results)

class Flaky(Worker):
    retry_backoff = False
    retry_delay = 0

    @classmethod
    def perform(cls) -> int:
        if current_job.attempt == 1:
            raise ValueError("once")
        return current_job.attempt

class Fails(Worker):
    max_retries = 0

    @classmethod
    def perform(cls) -> None:
        raise ValueError("always")

class Tick(Worker):
    cron_schedule = "0 0 1 1 *"

    @classmethod
    def perform(cls) -> None: ...
"""

CLIENT = """
import json, time
from celery import chord
from click.testing import CliRunner
from app import Add, Fails, Flaky, Total, app, flaskiq
from flaskiq import Batch
from flaskiq.chords import parallel
from flaskiq.cli import flaskiq as command

with app.app_context():
    results = [
        Add.perform_async(1, 2).get(timeout=20),
        Flaky.perform_async().get(timeout=20),
        Add.perform_in(0.1, 3, 4).get(timeout=20),
        chord([Add.s(1, 2), Add.s(3, 4)])(Total.s()).get(timeout=20),
        parallel([Add.s(1, 2), Add.s(3, 4)], then=Total.s(), limit=1).get(timeout=20),
    ]
    with Batch("of two") as batch:
        Add.perform_bulk([(1, 2), (3, 4)])
    results.append(batch.wait(timeout=20).done)
    Fails.perform_async().get(timeout=20, propagate=False)
    Add.perform_in(600, 1, 2).revoke()
    results.append(len(flaskiq.celery.control.inspect(timeout=5, limit=1).active()))
    results += [app.test_client().get(path).status_code for path in ("/jobs/", "/jobs/queues")]

for line in LINES:
    done = CliRunner().invoke(command, line.split())
    assert done.exit_code in (0, 1), (line, done.output)
    assert done.exception is None or isinstance(done.exception, SystemExit), (line, done.output)
print(json.dumps(results))
"""

LINES = (
    "worker status", "queues", "queues pause low", "queues unpause low", "scheduled", "retries",
    "dead", "dead retry --all --yes", "jobs running", "jobs find 0f0c", "chords status",
    "chords clean", "batches", "cron", "stats", "processes", "monitor --once --interval 0.2",
    "metrics --once", "autoscale --print", "purge --in-flight --dead --yes", "doctor",
)  # fmt: skip


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Server]:
    """A server of its own, with the user of the page."""
    folder = tmp_path / "server"
    folder.mkdir()
    server = Server(required(), folder)
    with server.client() as client:
        client.execute_command(*RULES)
    yield server
    server.stop()


@pytest.fixture
def site(guarded: Server, tmp_path: Path) -> Iterator[Project]:
    """An application whose broker knows it as that user."""
    url = guarded.url.replace("redis://", "redis://flaskiq:a-long-password@")
    project = Project(
        tmp_path,
        {"CELERY_BROKER_URL": url, "CELERY_RESULT_BACKEND": url, "FLASKIQ_ENV": "development"},
    )
    project.write("app.py", APP)
    yield project
    project.end()


@pytest.mark.slow
def test_everything_works_for_the_user_of_the_page(guarded: Server, site: Project) -> None:
    with guarded.client() as admin:
        # So long ago that the scheduler enqueues a job at once.
        admin.hset("flaskiq:cron:entry:app.Tick", "slot", "2020-01-01T00:00:00+00:00")
        worker = site.start("flaskiq", "worker", "start", "--concurrency=2", "-E")
        site.start("flaskiq", "beat")
        worker.wait_for(" ready.")
        printed = site.python(CLIENT.replace("LINES", repr(LINES)))
        assert json.loads(printed.splitlines()[-1]) == [3, 2, 7, 10, 10, 2, 1, 200, 200]
        until(lambda: admin.hget("flaskiq:counters", "worker|app.Tick|done") == "1", "the cron job")
        denied = {(each["reason"], each["object"]) for each in admin.acl_log()}
        assert denied == {("command", "config|get")}, "what the doctor cannot read, and no more"
        assert "NoPermission" not in worker.output


def test_the_user_may_not_do_what_it_need_not(guarded: Server) -> None:
    url = guarded.url.replace("redis://", "redis://flaskiq:a-long-password@")
    with Redis.from_url(url) as user:
        for command in (
            "KEYS *", "CONFIG GET *", "FLUSHDB", "FLUSHALL", "SHUTDOWN", "SAVE",
            "CLIENT LIST", "CLIENT KILL TYPE normal", "ACL LIST", "MONITOR", "SET other 1",
            "GET other", "PUBLISH other 1",
        ):  # fmt: skip
            with pytest.raises(Exception, match=r"no permissions|No permissions"):
                user.execute_command(*command.split())


def test_every_command_of_every_script_is_allowed(guarded: Server) -> None:
    scripts = (Path(script.__file__).parent / "scripts").glob("*.lua")
    called = {
        name.lower()
        for file in scripts
        for name in re.findall(r"redis\.p?call\('(\w+)'", file.read_text())
    }
    assert len(called) > 25
    assert called <= {rule.removeprefix("+") for rule in RULES if rule.startswith("+")}


@pytest.mark.slow
def test_the_page_runs(project: Project, store: Redis) -> None:
    project.write("app.py", APP)
    terminal = Terminal(project)
    terminal.read("security.md")
    terminal.end()
    store.execute_command("ACL", "DELUSER", "flaskiq")


def test_a_message_in_pickle_is_dead_unread(project: Project, store: Redis) -> None:
    project.write("app.py", APP)
    project.write(
        "evil.py",
        f"""
import os, pathlib
from celery import Celery
class Evil:
    def __reduce__(self):
        return pathlib.Path.touch, (pathlib.Path({str(project.folder / "ran")!r}),)
stock = Celery(broker=os.environ["CELERY_BROKER_URL"])
stock.send_task("app.Add", (Evil(), 1), queue="default", serializer="pickle")
""",
    )
    project.worker("app:celery_app")
    project.python("import evil")
    until(lambda: store.zcard("flaskiq:dead") == 1, "it is dead")
    assert not (project.folder / "ran").exists()
