"""docs/configuration.md: each variable does what its row says, in real workers.

The test of a row is called like its variable, in lower case.
"""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
import requests
from celery import Celery
from processes import Process, Project
from servers import Server, free_port
from waiting import until

from flaskiq.settings.table import TABLE, Derived

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/configuration.md").read_text()

PROGRAMS = {
    "celery": ("celery", "-A", "celery_app", "worker"),
    "flaskiq": ("flaskiq", "worker", "start"),
}
PLACES = ("environment", ".env")


def rows(section: str) -> dict[str, list[str]]:
    """Return the cells of a section's table by variable."""
    body = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    table = [line.strip("| ").split(" | ") for line in body.splitlines() if line.startswith("| `")]
    return {cells[0].strip("`"): cells[1:] for cells in table}


ACTING, UNREAD, FOREIGN = rows("Variables"), rows("Warned of"), rows("Your app's own")


@pytest.fixture
def project(server: Server, tmp_path: Path) -> Iterator[Project]:
    """A folder with a broker, whose database is left as it is: a worker may be using it."""
    project = Project(tmp_path, {"CELERY_BROKER_URL": server.url})
    yield project
    project.end()


# The page


@pytest.mark.parametrize("variable", ACTING)
def test_each_row_has_a_test(variable: str) -> None:
    assert f"test_{variable.lower()}" in globals()


@pytest.mark.parametrize("row", [row for row in TABLE if row.name in ACTING], ids=lambda r: r.name)
def test_the_default_is_that_of_the_setting(row: Any) -> None:
    if row.default is not None and not isinstance(row.default, Derived):
        default = str(row.default).lower() if isinstance(row.default, bool) else row.default
        assert ACTING[row.name][-1] == f"`{default}`"


def test_the_message_of_a_value_that_cannot_be_read(project: Project) -> None:
    message = re.findall(r"^`(CELERY_WORKER_CONCURRENCY=many .*)`\.$", PAGE, re.MULTILINE)[0]
    project.write("celery_app.py", APP)
    for argv in PROGRAMS.values():
        worker = project.start(*argv, CELERY_WORKER_CONCURRENCY="many")
        assert worker.wait() != 0
        assert message in worker.output


# One worker with all of them

APP = """
import json, logging, os, time
import redis
from celery.exceptions import SoftTimeLimitExceeded
from flask import Flask
from flaskiq import Flaskiq, Worker

logging.basicConfig(format="OWN %(message)s", level="INFO")
flask_app = Flask(__name__)
flaskiq = Flaskiq(flask_app)
celery_app = flaskiq.celery

def record(key, value):
    with redis.Redis.from_url(celery_app.conf.broker_url) as client:
        client.rpush(f"record:{key}", str(value))

class Pid(Worker):
    @classmethod
    def perform(cls, key):
        record(key, os.getpid())

class Sleep(Worker):
    @classmethod
    def perform(cls, seconds):
        time.sleep(seconds)
        record("slept", seconds)

class Hang(Worker):
    max_retries = 0
    @classmethod
    def perform(cls):
        while True:
            try:
                time.sleep(60)
            except SoftTimeLimitExceeded:
                record("soft", "raised")

class Environment(Worker):
    @classmethod
    def perform(cls):
        record("environment", json.dumps(dict(os.environ)))

@celery_app.task(name="limited", rate_limit="1/h")
def limited():
    record("limited", "ran")
"""

GIVEN = {
    "CELERY_WORKER_CONCURRENCY": "3",
    "CELERY_WORKER_LOGLEVEL": "debug",
    "CELERY_WORKER_LOG_FORMAT": "<%(levelname)s> %(message)s",
    "CELERY_WORKER_PREFETCH_MULTIPLIER": "4",
    "CELERY_WORKER_MAX_TASKS_PER_CHILD": "2",
    "CELERY_WORKER_DISABLE_RATE_LIMITS": "true",
    "CELERY_WORKER_OPTS": "--without-mingle --hostname 'mail@%h'",
    "CELERY_TASK_SOFT_TIME_LIMIT": "1",
    "CELERY_TASK_TIME_LIMIT": "3",
    "CELERY_WORKER_SEND_TASK_EVENTS": "true",
    "CELERY_TASK_SEND_SENT_EVENT": "true",
    "CELERY_TASK_IGNORE_RESULT": "true",
    **dict.fromkeys(UNREAD, "1"),
}


@dataclass
class Site:
    """A worker with all of :data:`GIVEN`, and a stock client of its queues."""

    project: Project
    worker: Process
    store: redis.Redis
    client: Celery
    program: str
    place: str
    given: dict[str, str]

    def send(self, task: str, *args: Any) -> str:
        """Enqueue a job and return its id."""
        return str(self.client.send_task(task, args, queue="default").id)

    def recorded(self, key: str, count: int) -> list[str]:
        """Wait until jobs have recorded ``count`` values, and return them."""
        name = f"record:{key}"
        until(lambda: self.store.llen(name) >= count, f"{count} {key}\n{self.worker.output}")
        return [str(value) for value in self.store.lrange(name, 0, -1)]

    def ask(self, method: str) -> tuple[str, Any]:
        """Ask the worker, which is the only one; return its name and what it answers."""
        inspect = self.client.control.inspect(timeout=10, limit=1)
        ((name, answer),) = getattr(inspect, method)().items()
        return name, answer

    @contextmanager
    def listening(self) -> Iterator[list[dict[str, Any]]]:
        """Collect events; whoever is given the list is heard."""
        heard: list[dict[str, Any]] = []
        with self.client.connection_for_read() as connection:
            receiver = self.client.events.Receiver(connection, handlers={"*": heard.append})
            listener = threading.Thread(target=receiver.capture)
            listener.start()
            try:
                # It wakes the workers up, and hears their heartbeat.
                until(lambda: heard, "the first event")
                yield heard
            finally:
                receiver.should_stop = True
                listener.join()


def site_in(folder: Path, url: str, program: str, place: str, given: dict[str, str]) -> Site:
    """Start a worker that finds ``given`` in a place."""
    store = redis.Redis.from_url(url, decode_responses=True)
    store.flushdb()
    project = Project(folder, given if place == "environment" else {})
    project.write("celery_app.py", APP)
    if place == ".env":
        project.write(".env", "".join(f'{name}="{value}"\n' for name, value in given.items()))
    worker = project.start(*PROGRAMS[program], **dict.fromkeys(FOREIGN, "of the app"))
    client = Celery("client", broker=url, backend=url, set_as_current=False)
    return Site(project, worker, store, client, program, place, given)


@pytest.fixture(
    scope="module", params=[f"{program} {place}" for program in PROGRAMS for place in PLACES]
)
def site(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The worker, under both programs and with the variables in both places."""
    given = {**GIVEN, "CELERY_BROKER_URL": server.url}
    site = site_in(tmp_path_factory.mktemp("site"), server.url, *request.param.split(), given)
    site.worker.wait_for(" ready.")
    yield site
    site.project.end()
    site.store.close()


def test_celery_broker_url(site: Site) -> None:
    site.send("celery_app.Pid", "pid")
    assert site.recorded("pid", 1)


def test_celery_worker_concurrency(site: Site) -> None:
    _, stats = site.ask("stats")
    assert stats["pool"]["max-concurrency"] == 3


def test_celery_worker_loglevel(site: Site) -> None:
    assert "<DEBUG> " in site.worker.output


def test_celery_worker_log_format(site: Site) -> None:
    assert re.search(r"^<INFO> mail@\S+ ready\.$", site.worker.output, re.MULTILINE)


def test_celery_worker_opts(site: Site) -> None:
    name, _ = site.ask("ping")
    assert name.startswith("mail@")
    assert "mingle: " not in site.worker.output


def test_celery_worker_prefetch_multiplier(site: Site) -> None:
    for _ in range(16):
        site.send("celery_app.Sleep", 0.4)

    def in_hand() -> int:
        processes = site.store.smembers("flaskiq:processes")
        return sum(site.store.hlen(f"flaskiq:inflight:{each}") for each in processes)

    if site.program == "celery":  # our own pool fetches ahead only where jobs are short
        until(lambda: in_hand() == 12, "it holds four for each that runs")
    assert "strict order of the queues holds per fetch" in site.worker.output
    site.recorded("slept", 16)


def test_celery_worker_max_tasks_per_child(site: Site) -> None:
    for _ in range(8):
        site.send("celery_app.Pid", "pids")
    pids = site.recorded("pids", 8)
    assert max(pids.count(pid) for pid in pids) <= 2


def test_celery_worker_disable_rate_limits(site: Site) -> None:
    for _ in range(3):
        site.send("limited")
    assert site.recorded("limited", 3)


def test_celery_task_soft_time_limit(site: Site) -> None:
    site.send("celery_app.Hang")
    site.recorded("soft", 1)
    assert "Soft time limit (1s) exceeded" in site.worker.output


def test_celery_task_time_limit(site: Site) -> None:
    job_id = site.send("celery_app.Hang")
    site.worker.wait_for(f"Hard time limit (3s) exceeded for celery_app.Hang[{job_id}]")


def test_celery_worker_send_task_events(site: Site) -> None:
    with site.listening() as heard:
        job_id = site.send("celery_app.Pid", "events")
        until(lambda: ("task-succeeded", job_id) in kinds(heard), "its last event")


def test_celery_task_send_sent_event(site: Site) -> None:
    enqueue = "import celery_app; print(celery_app.Pid.perform_async('sent').id)"
    with site.listening() as heard:
        job_id = site.project.python(enqueue)
        until(lambda: ("task-sent", job_id) in kinds(heard), "the event of being sent")


def kinds(heard: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return the types of events and the jobs that they are about."""
    return [(event["type"], event.get("uuid", "")) for event in heard]


def test_celery_task_ignore_result(site: Site) -> None:
    job_id = site.send("celery_app.Pid", "without result")
    site.worker.wait_for(f"celery_app.Pid[{job_id}] succeeded")
    assert not site.store.exists(f"celery-task-meta-{job_id}")


@pytest.mark.parametrize("variable", UNREAD)
def test_what_nothing_reads_is_warned_of(site: Site, variable: str) -> None:
    where = "environment" if site.place == "environment" else site.project.folder / ".env"
    messages = re.findall(rf"{variable} \((.*)\) is not read by Flaskiq: (.*)", site.worker.output)
    assert [place for place, _ in messages] == [str(where)]
    instead = re.findall(r"`(.*?)`", UNREAD[variable][-1])[0]
    assert instead in messages[0][1]


def test_what_is_the_app_s_reaches_its_jobs(site: Site) -> None:
    site.send("celery_app.Environment")
    environment = json.loads(site.recorded("environment", 1)[0])
    assert {name: environment.get(name) for name in FOREIGN} == dict.fromkeys(FOREIGN, "of the app")
    assert not [name for name in FOREIGN if name in site.worker.output.partition(" ready.")[0]]


# A worker of each program, with other variables


@pytest.fixture(scope="module", params=PROGRAMS)
def other(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A worker whose broker has its other name, and whose results are in another database."""
    # The worker of the fixture above may still run.
    broker, results = (f"{server.url.removesuffix('/0')}/{number}" for number in (1, 2))
    given = {
        "BROKER_URL": broker,
        "CELERY_RESULT_BACKEND": results,
        "CELERY_WORKER_HIJACK_ROOT_LOGGER": "false",
        "CELERY_WORKER_LOGLEVEL": "info",
    }
    folder = tmp_path_factory.mktemp("other")
    site = site_in(folder, broker, request.param, "environment", given)
    site.worker.wait_for(" ready.")
    yield site
    site.project.end()
    site.store.close()


def test_broker_url(other: Site) -> None:
    other.send("celery_app.Pid", "pid")
    assert other.recorded("pid", 1)


def test_celery_result_backend(other: Site) -> None:
    key = f"celery-task-meta-{other.send('celery_app.Pid', 'results')}"
    with redis.Redis.from_url(other.given["CELERY_RESULT_BACKEND"]) as results:
        until(lambda: results.exists(key), "the result is there")
    assert not other.store.exists(key)


def test_celery_worker_hijack_root_logger(other: Site) -> None:
    assert re.search(r"^OWN \S+ ready\.$", other.worker.output, re.MULTILINE)


@pytest.mark.parametrize("program", PROGRAMS)
def test_celery_broker_connection_retry_on_startup(tmp_path: Path, program: str) -> None:
    project = Project(tmp_path, {"CELERY_BROKER_URL": f"redis://127.0.0.1:{free_port()}/0"})
    project.write("celery_app.py", APP)
    try:
        waits = project.start(*PROGRAMS[program])
        ends = project.start(*PROGRAMS[program], CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP="false")
        assert ends.wait() != 0
        waits.wait_for("Trying again")
        assert waits.is_running
    finally:
        project.end()


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("value", ["true", "false"])
def test_celery_worker_log_color(project: Project, program: str, value: str) -> None:
    project.write("celery_app.py", APP)
    # The warning that prefetch is on is in colour.
    given = {"CELERY_WORKER_LOG_COLOR": value, "CELERY_WORKER_PREFETCH_MULTIPLIER": "2"}
    shown = on_a_terminal(project, PROGRAMS[program], " [queues]", **given)
    assert ("\x1b[1" in shown) is (value == "true")


def on_a_terminal(project: Project, argv: tuple[str, ...], last: str, **env: str) -> str:
    """Return what a program shows on a terminal up to ``last``, and end it."""
    ours, its = pty.openpty()
    program = [str(Path(sys.executable).parent / argv[0]), *argv[1:]]
    process = subprocess.Popen(
        program, cwd=project.folder, env=project.environ(**env), stdin=subprocess.DEVNULL,
        stdout=its, stderr=its, start_new_session=True,
    )  # fmt: skip
    os.close(its)
    shown = ""
    try:
        while last not in shown:
            shown += os.read(ours, 4096).decode()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ours)
    return shown


# Other programs


@pytest.mark.parametrize(
    ("value", "options", "runs"),
    [
        ("", (), "backend, flower"),
        ("yes", (), "backend, flower"),
        ("no", (), "backend"),
        ("no", ("--only", "flower"), "flower"),
    ],
)
@pytest.mark.parametrize("place", PLACES)
def test_enable_flower(
    project: Project, value: str, options: tuple[str, ...], runs: str, place: str
) -> None:
    project.write("celery_app.py", APP)
    project.write("Procfile", "backend: sleep 60\nflower: sleep 60\n")
    env = {"FLOWER_PORT": str(free_port())}
    if place == "environment":
        env["ENABLE_FLOWER"] = value
    else:
        project.write(".env", f"ENABLE_FLOWER={value}\n")
    dev = project.start("flaskiq", "dev", f"--port={free_port()}", *options, **env)
    dev.wait_for(f"Flaskiq runs celery_app:flask_app: {runs}\n")
    dev.wait_for("Ctrl-C stops everything")
    assert (f"Flower  http://127.0.0.1:{env['FLOWER_PORT']}/" in dev.output) is ("flower" in runs)
    dev.send(signal.SIGINT)
    assert dev.wait() == 0


@pytest.fixture(scope="module")
def flower(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Flower with all its variables: its process and its port."""
    port = free_port()
    given = {
        "CELERY_BROKER_URL": server.url,
        "FLOWER_PORT": str(port),
        "FLOWER_ADDRESS": "0.0.0.0",
        "FLOWER_BASIC_AUTH": "ops:secret",
    }
    project = Project(tmp_path_factory.mktemp("flower"), given)
    project.write("celery_app.py", APP)
    process = project.start("flaskiq", "flower")
    process.wait_for("Visit me at")
    yield process.pid, port
    project.end()


def test_flower_port(flower: tuple[int, int]) -> None:
    assert requests.get(f"http://127.0.0.1:{flower[1]}/healthcheck", timeout=20).text == "OK"


def test_flower_address(flower: tuple[int, int]) -> None:
    pid, port = flower
    connections = psutil.Process(pid).net_connections()
    assert [each.laddr for each in connections if each.status == "LISTEN"] == [("0.0.0.0", port)]


def test_flower_basic_auth(flower: tuple[int, int]) -> None:
    url = f"http://127.0.0.1:{flower[1]}/workers"
    assert requests.get(url, timeout=20).status_code == 401
    assert requests.get(url, auth=("ops", "secret"), timeout=20).status_code == 200


def test_health_check_url(project: Project) -> None:
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        project.python(
            "from celery_app import flask_app\n"
            "from workers.health_check_worker import HealthCheckWorker\n"
            "HealthCheckWorker.perform_inline()",
            PYTHONPATH=str(ROOT),
            HEALTH_CHECK_URL=f"http://127.0.0.1:{server.server_port}/asked",
        )
        server.shutdown()
        thread.join()
    assert asked == ["/asked"]
