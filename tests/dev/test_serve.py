"""``flaskiq dev`` with small Procfiles: real processes, signals and files."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from processes import Process, Project
from servers import free_port
from waiting import until

APP = "from flask import Flask\nfrom flaskiq import Flaskiq\napp = Flask(__name__)\nFlaskiq(app)\n"

# Says that it runs, and what it was told; ends when it is told to.
PROGRAM = """
import os, sys, time
print("up", os.getpid(), sys.argv[1], flush=True)
for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "FLASKIQ_ENV", "PORT", "FLASKIQ_APP"):
    print(name, os.environ.get(name))
while True:
    time.sleep(0.05)
"""


class Dev:
    """A folder, and ``flaskiq dev`` in it."""

    def __init__(self, folder: Path) -> None:
        self.project = Project(folder, {})
        self.runs: list[Process] = []
        self.project.write("app.py", APP)
        self.project.write("program.py", PROGRAM)
        self.procfile("one: python program.py first", "two: python program.py second")

    def procfile(self, *lines: str) -> None:
        self.project.write("Procfile", "\n".join(lines))

    def start(self, *options: str, **env: str) -> Process:
        self.runs.append(self.project.start("flaskiq", "dev", *options, **env))
        return self.runs[-1]

    def end(self) -> None:
        for run in self.runs:
            if run._process.poll() is None:
                run.send(signal.SIGTERM)
                run.wait()


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    dev = Dev(tmp_path)
    yield dev
    dev.end()


def pid_of(run: Process, argument: str) -> int:
    run.wait_for(f" {argument}\n")
    pids = re.findall(rf"up (\d+) {argument}\n", run.output)
    return int(pids[-1])


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def broker_of(run: Process) -> str:
    run.wait_for("CELERY_BROKER_URL redis")
    return str(re.findall(r"CELERY_BROKER_URL (\S+)", run.output)[0])


def run_id(url: str) -> str | None:
    """Which server answers, None if none does: on the usual port another test may start one."""
    try:
        with redis.Redis.from_url(url) as client:
            return str(client.info("server")["run_id"])
    except redis.ConnectionError:
        return None


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_ends_everything(dev: Dev, signum: int) -> None:
    run = dev.start()
    pids = [pid_of(run, "first"), pid_of(run, "second")]
    broker = broker_of(run)
    server = run_id(broker)
    assert server
    run.send(signum)
    assert run.wait() == 0
    assert not any(map(is_alive, pids))
    assert run_id(broker) != server


def test_what_is_printed(dev: Dev) -> None:
    run = dev.start("--port", "8123")
    pid_of(run, "first")
    pid_of(run, "second")
    assert re.search(r"^\d\d:\d\d:\d\d one     \| up \d+ first$", run.output, re.MULTILINE)
    assert re.search(r"^\d\d:\d\d:\d\d two     \| up \d+ second$", run.output, re.MULTILINE)
    broker = broker_of(run)
    assert f"broker  {broker} (embedded Valkey)" in run.output
    assert "Ctrl-C stops everything" in run.output
    for line in (
        f"CELERY_RESULT_BACKEND {broker}",
        "FLASKIQ_ENV development",
        "FLASKIQ_APP app:app",
        "PORT 8123",
    ):
        run.wait_for(f"one     | {line}\n")
    assert (dev.project.folder / ".flaskiq" / ".gitignore").read_text() == "*\n"


def test_ctrl_c_in_the_first_moment_leaves_nothing(dev: Dev) -> None:
    run = dev.start()
    run.wait_for("Ctrl-C stops everything")
    run.send(signal.SIGINT)
    assert run.wait() == 0
    pids = [int(pid) for pid in re.findall(r"started \(pid (\d+)\)", run.output)]
    assert not any(map(is_alive, pids))


def test_the_first_to_end_ends_all_and_gives_the_exit_code(dev: Dev) -> None:
    dev.procfile("one: python program.py first", "two: sleep 1; exit 3")
    run = dev.start()
    pid = pid_of(run, "first")
    assert run.wait() == 3
    assert "two ended (exit code 3)" in run.output
    assert not is_alive(pid)


def test_what_a_shell_leaves_behind_is_ended_too(dev: Dev) -> None:
    dev.procfile("one: cd . && python program.py first; true")
    run = dev.start()
    pid = pid_of(run, "first")
    run.send(signal.SIGINT)
    assert run.wait() == 0
    assert not is_alive(pid)


def test_a_process_that_does_not_listen_is_made_to_end(dev: Dev) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    dev.project.write("program.py", deaf + PROGRAM)
    dev.procfile("one: python program.py first")
    run = dev.start()
    pid = pid_of(run, "first")
    run.send(signal.SIGINT)
    run.wait_for("Ctrl-C again")
    assert is_alive(pid)
    run.send(signal.SIGINT)
    assert run.wait(5) == 0
    assert not is_alive(pid)


def test_when_nobody_reads_any_more_everything_ends(dev: Dev) -> None:
    """As in ``flaskiq dev | head -1``."""
    dev.procfile("one: while true; do echo tick; sleep 0.1; done")
    with subprocess.Popen(
        [str(Path(sys.executable).with_name("flaskiq")), "dev"],
        cwd=dev.project.folder,
        env=dev.project.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as run:
        assert run.stdout
        started = next(line for line in run.stdout if "one started" in line)
    pid = int(re.findall(r"pid (\d+)", started)[0])
    assert not is_alive(pid)


def test_a_change_restarts_what_runs_the_code(dev: Dev) -> None:
    dev.procfile("one: python program.py worker", "two: python program.py other")
    run = dev.start()
    worker, other = pid_of(run, "worker"), pid_of(run, "other")
    dev.project.write("app.py", APP + "# changed\n")
    run.wait_for("app.py changed; restarting")
    until(lambda: pid_of(run, "worker") != worker, "another worker")
    assert not is_alive(worker)
    assert is_alive(other)


def test_a_broken_change_waits_for_the_next_one(dev: Dev) -> None:
    dev.procfile("one: python program.py worker", "two: python program.py other")
    run = dev.start()
    worker, other = pid_of(run, "worker"), pid_of(run, "other")
    dev.project.write("program.py", "1 / 0\n")
    run.wait_for("waiting for a change")
    dev.project.write("program.py", PROGRAM)
    until(lambda: pid_of(run, "worker") != worker, "another worker")
    assert is_alive(other)


def test_without_reload_a_change_changes_nothing(dev: Dev) -> None:
    dev.procfile("one: python program.py worker")
    still, other = dev.start("--no-reload"), dev.start()
    pid_of(still, "worker")
    pid_of(other, "worker")
    dev.project.write("app.py", APP + "# changed\n")
    other.wait_for("restarting")
    assert "restarting" not in still.output


def test_several_terminals_share_one_server(dev: Dev) -> None:
    first, second = dev.start("--only", "one"), dev.start("--only", "two")
    assert pid_of(first, "first")
    assert pid_of(second, "second")
    assert "second" not in first.output
    assert broker_of(first) == broker_of(second)
    for run in (first, second):
        server = run_id(broker_of(second))
        assert server
        run.send(signal.SIGINT)
        assert run.wait() == 0
    assert run_id(broker_of(second)) != server


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("backend: python program.py first", "--port"),
        ("one: python program.py ${PORT:-8080}", "--port"),
        ("flower: python program.py first", "--flower-port"),
    ],
)
def test_a_taken_port_is_told_before_anything_starts(dev: Dev, line: str, option: str) -> None:
    dev.procfile(line)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        run = dev.start(option, port)
        assert run.wait() == 1
    assert f"Port {port} is taken" in run.output
    assert line.partition(":")[0] in run.output
    assert f" {option}." in run.output
    assert not (dev.project.folder / ".flaskiq").exists()


def test_a_port_that_is_not_needed_may_be_taken(dev: Dev) -> None:
    dev.procfile("backend: python program.py first", "two: python program.py second")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run = dev.start("--port", str(taken.getsockname()[1]), "--only", "two")
        pid_of(run, "second")


def test_a_broker_that_does_not_answer(dev: Dev) -> None:
    run = dev.start(CELERY_BROKER_URL=f"redis://me:s3cret@127.0.0.1:{free_port()}/0")
    assert run.wait() == 1
    assert "redis://me:***@127.0.0.1" in run.output
    assert "CELERY_BROKER_URL" in run.output
    assert "s3cret" not in run.output
    assert "Traceback" not in run.output


def test_the_broker_of_an_adopted_celery_app_counts(dev: Dev) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    celery = f"from celery import Celery\nx = Celery('x', broker={url!r})\n"
    dev.project.write("app.py", celery + APP.replace("Flaskiq(app)", "Flaskiq(app, celery=x)"))
    run = dev.start()
    assert run.wait() == 1
    assert f"The broker {url} cannot be used" in run.output


def test_a_configured_broker_is_used(dev: Dev, redis_url: str) -> None:
    dev.project.write(".env", f"BROKER_URL={redis_url}\n")
    run = dev.start()
    run.wait_for("CELERY_BROKER_URL None")  # each process reads .env for itself
    assert f"broker  {redis_url}\n" in run.output
    assert not (dev.project.folder / ".flaskiq" / "valkey").exists()


@pytest.mark.parametrize(
    ("procfile", "options", "code", "message"),
    [
        ("one: true", ["--only", "ome"], 2, "did you mean 'one'"),
        ("one: true", ["--procfile", "nowhere"], 2, "nowhere"),
        ("# nothing", [], 1, "name: command"),
        ("one: true\none: true", [], 1, "unique"),
    ],
)
def test_wrong_usage(dev: Dev, procfile: str, options: list[str], code: int, message: str) -> None:
    dev.procfile(procfile)
    run = dev.start(*options)
    assert run.wait() == code
    assert message in run.output
