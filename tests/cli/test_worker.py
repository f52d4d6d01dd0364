"""``flaskiq worker``: real workers are started, watched, restarted and stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
from command import CalledCommand
from fleet import LIB, gevent_or_skip
from processes import Process, Project
from redis import Redis
from waiting import until

from flaskiq import api
from flaskiq.cli.worker_record import Record

pytestmark = pytest.mark.slow

Run = Callable[..., "subprocess.CompletedProcess[str]"]

QUICK = ("--pool=threads", "--concurrency=1", "--without-mingle", "--without-gossip")
APP = {"FLASKIQ_APP": "sample:celery_app", "PYTHONPATH": LIB}


@pytest.fixture
def run(sample: ModuleType, project: Project) -> Iterator[Run]:
    """Run ``flaskiq worker ...`` to its end; workers in the background end with the test."""

    def run(
        *words: str, code: int = 0, folder: Path = project.folder, **env: str
    ) -> subprocess.CompletedProcess[str]:
        environ = project.environ(**{**APP, **env})
        if words[0] == "status":  # it is asked often, and a start of the program takes a second
            told = CalledCommand(folder, environ)("worker", *words, code=code)
            return subprocess.CompletedProcess(words, told.code, told.out, told.err)
        done = subprocess.run(
            [str(Path(sys.executable).with_name("flaskiq")), "worker", *words],
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == code, f"{words}: {done}"
        assert "Traceback" not in done.stderr
        return done

    yield run
    for record in records(project):
        if record.is_alive:
            os.killpg(record.pid, signal.SIGKILL)


def records(project: Project) -> list[Record]:
    found = []
    for file in sorted(project.folder.rglob(".flaskiq/workers/*.json")):
        with suppress(FileNotFoundError):  # a worker that ends removes its own
            found.append(Record.read(file.read_text()))
    return found


def start(run: Run, *words: str, **options: Any) -> dict[str, Any]:
    """Start a worker in the background and return its facts."""
    done = run("start", "--detach", *QUICK, *words, "--json", **options)
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def processes(run: Run, code: int = 0) -> dict[str, Any]:
    """What ``status`` tells, by the names before the ``@``."""
    document = json.loads(run("status", "--json", code=code).stdout)
    return {process["node"].partition("@")[0]: process for process in document["processes"]}


def _busy(run: Run) -> list[int]:
    return [process["busy"] for process in processes(run).values()]


def started(store: Redis) -> list[str]:
    return store.lrange("record:started", 0, -1)


def ended(store: Redis) -> list[str]:
    return store.lrange("record:ended", 0, -1)


def test_a_running_job_is_finished_and_nobody_else_is_hit(
    run: Run, project: Project, sample: ModuleType, store: Redis
) -> None:
    bystander = project.start("python", "-c", "import time; time.sleep(600)", "celery", "worker")
    start(run, "--name=urgent", "--queue=critical,default")
    start(run, "--name=later", "--queue", "low")
    job = sample.Patient.perform_async()
    until(lambda: processes(run)["urgent"]["busy"] == 1, "the job runs")

    shown = processes(run)
    assert {name: each["queues"] for name, each in shown.items()} == {
        "urgent": ["critical", "default"],
        "later": ["low"],
    }
    assert all(each["pool"] == "threads" and each["rss"] > 10_000_000 for each in shown.values())

    stop = project.start("flaskiq", "worker", "stop", **APP)
    stop.wait_for("1 running job\n")
    until(lambda: len(records(project)) == 1, "the idle one ends")
    assert stop.is_running
    api.cancel(job.id)
    assert stop.wait() == 0
    assert job.get(timeout=5) == "cancelled"
    assert "Stopped later@" in stop.output
    assert ", urgent@" in stop.output
    assert records(project) == []
    assert not list(project.folder.glob(".flaskiq/workers/*.pid"))
    assert bystander.is_running
    assert processes(run, code=1) == {}
    assert run("stop").stdout == "No worker of this app runs on this host.\n"


def test_status_for_people(run: Run, sample: ModuleType) -> None:
    assert "No process lives: flaskiq worker start" in run("status", code=1).stdout
    start(run, "--name=one", "--queue=low")
    sample.Add.perform_async(1, 2)
    lines = run("status").stdout.splitlines()
    assert lines[0].split()[:5] == ["node", "pid", "pool", "busy", "of"]
    assert lines[1].startswith("one@")
    queues = {line.split()[0]: line.split()[1:] for line in lines[4:-2]}
    assert queues["default"][0] == "1"
    assert queues["default"][1].endswith("s")
    assert queues["low"] == ["0", "0.0s"]
    assert lines[-1] == "No scheduler runs; start one: flaskiq beat"


def test_restart_keeps_flags_and_overrides_them(run: Run, project: Project) -> None:
    before = start(run, "--name=one", "--queue=critical=5,low=1", "--loglevel=debug", "-E")
    run("restart", "--concurrency", "2")
    (record,) = records(project)
    assert record.name == before["name"]
    assert record.pid != before["pid"]
    assert record.is_detached
    assert {"--queues=critical=5,low=1", "--loglevel=debug", "--concurrency=2"} < set(
        record.options
    )
    assert "--concurrency=1" not in record.options
    shown = processes(run)["one"]
    assert (shown["queues"], shown["concurrency"]) == (["critical", "low"], 2)
    log = Path(str(record.logfile)).read_text()
    assert log.count(".> task events: ON") == 2
    assert "DEBUG" in log.rpartition(".> task events: ON")[2]

    done = run("restart", "--concurrency", "many", code=2)
    assert "many" in done.stderr
    assert processes(run)["one"]["pid"] == record.pid, "a wrong flag stops nobody"


def test_a_worker_of_a_terminal_restarts_in_its_place(
    run: Run, project: Project, sample: ModuleType, store: Redis
) -> None:
    worker = project.start("flaskiq", "worker", "start", *QUICK, **APP)
    worker.wait_for(" ready.")
    job = sample.Patient.perform_async()
    until(lambda: _busy(run) == [1], "the job runs")
    restart = project.start("flaskiq", "worker", "restart", "--concurrency=2", **APP)
    restart.wait_for("1 running job\n")
    api.cancel(job.id)
    assert restart.wait() == 0
    assert job.get(timeout=5) == "cancelled"
    (record,) = records(project)
    assert (record.pid, record.is_detached, record.is_ready) == (worker.pid, False, True)
    assert [each["concurrency"] for each in processes(run).values()] == [2]
    run("stop")
    assert worker.wait() == 0
    assert records(project) == []


def test_restart_needs_a_worker(run: Run) -> None:
    assert "No worker was started in this folder" in run("restart", code=1).stderr
    assert "there are: none" in run("restart", "--name=nobody", code=1).stderr


def test_stop_says_if_it_has_waited_in_vain(
    run: Run, sample: ModuleType, store: Redis, project: Project
) -> None:
    start(run, "--name=one")
    job = sample.Patient.perform_async()
    until(lambda: _busy(run) == [1], "the job runs")
    done = run("stop", "--name=one", "--timeout=0.5", code=1)
    assert "Not ended after 0.5 s: one@" in done.stderr
    assert "--timeout" in done.stderr
    api.cancel(job.id)
    until(lambda: not records(project), "it ends when its job has")
    assert job.get(timeout=5) == "cancelled"


def test_quiet_fetches_no_more(run: Run, sample: ModuleType, store: Redis) -> None:
    start(run, "--name=one", FLASKIQ_HEARTBEAT_TTL="2")
    assert "one@" in run("quiet", "--name", "one").stdout
    until(lambda: processes(run)["one"]["is_quiet"], "it is quiet")
    sample.Sleeps.perform_async("never", 0)
    run("stop")
    assert started(store) == []
    assert "no worker" in run("quiet").stdout.lower()


def test_workers_never_collide(run: Run, project: Project, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with ThreadPoolExecutor() as pool:
        folders = [project.folder, project.folder, other]
        facts = list(pool.map(lambda folder: start(run, folder=folder), folders))
    for what in ("name", "pid", "pidfile", "logfile"):
        assert len({each[what] for each in facts}) == 3, what
    assert len(processes(run)) == 3
    assert all(Path(each["pidfile"]).read_text() == f"{each['pid']}\n" for each in facts)

    taken = facts[0]["name"]
    done = run("start", "--name", taken, "--detach", code=1)
    assert f"There is a worker {taken}" in done.stderr
    done = run("start", f"--pidfile={facts[0]['pidfile']}", "--detach", code=1)
    assert f"pid {facts[0]['pid']}" in done.stderr

    # A name that has become free is taken again: Flower would list every new one for good.
    run("stop", "--name", taken)
    assert start(run)["name"] == taken

    # What was started in another folder is of this app, too.
    assert facts[2]["name"] in run("restart").stderr
    run("stop")
    assert processes(run, code=1) == {}


def test_stop_means_the_workers_of_this_app(run: Run) -> None:
    start(run, "--name=ours")
    start(run, "--name=theirs", FLASKIQ_APP="sample:neighbour")
    run("stop")
    assert list(processes(run)) == ["theirs"]


def test_a_record_that_is_left_behind_harms_nobody(run: Run, project: Project) -> None:
    facts = start(run, "--name=one")
    os.killpg(facts["pid"], signal.SIGKILL)
    until(lambda: not psutil.pid_exists(facts["pid"]), "it is dead")
    # Its pid is given to another program, whose command line even looks like a worker's.
    bystander = project.start("python", "-c", "import time; time.sleep(600)", "celery", "worker")
    file = next(project.folder.glob(".flaskiq/workers/one@*.json"))
    file.write_text(file.read_text().replace(str(facts["pid"]), str(bystander.pid)))
    Path(facts["pidfile"]).write_text(f"{bystander.pid}\n")

    done = run("stop")
    assert "has ended without a word" in done.stderr
    assert not file.exists()
    assert not Path(facts["pidfile"]).exists()
    assert bystander.is_running
    assert start(run, "--name=one")["name"] == facts["name"]


def test_a_pidfile_that_is_left_behind_is_replaced(run: Run, project: Project) -> None:
    bystander = project.start("python", "-c", "import time; time.sleep(600)")
    pidfile = project.write("one.pid", str(bystander.pid))
    done = run("start", "--detach", *QUICK, "--pidfile=one.pid", code=1)
    assert "belongs to the running program 'python" in done.stderr
    assert pidfile.read_text() == str(bystander.pid)

    os.utime(pidfile, (1, 1))  # it was written before that program was started
    done = run("start", "--detach", *QUICK, "--pidfile=one.pid")
    assert "is left from a program that has ended" in done.stderr
    assert int(pidfile.read_text()) == records(project)[0].pid
    run("stop")
    assert not pidfile.exists()
    assert bystander.is_running


def test_an_unreadable_record_is_named(run: Run, project: Project) -> None:
    odd = project.write(".flaskiq/workers/odd@host.json", "{}")
    done = run("stop")
    odd.unlink()
    assert "odd@host.json is no record of a worker" in done.stderr


def test_weights(run: Run, sample: ModuleType, store: Redis) -> None:
    for index in range(5):
        sample.Sleeps.set(queue="critical").perform_async(f"critical {index}", 0)
        sample.Sleeps.set(queue="low").perform_async(f"low {index}", 0)
    start(run, "--queue=critical=1", "--queue=low=1000000")
    until(lambda: len(ended(store)) == 10, "all have run")
    assert [name.split()[0] for name in ended(store)] == ["low"] * 5 + ["critical"] * 5


def test_a_wrong_weight_is_wrong_usage(run: Run) -> None:
    assert "expected weights of queues" in run("start", "--queue=low=much", code=2).stderr


def test_an_unknown_queue_is_told(run: Run) -> None:
    done = run("start", "--detach", *QUICK, "--queue=critcal")
    assert "did you mean 'critical'?" in done.stderr
    assert [each["queues"] for each in processes(run).values()] == [["critcal"]]


@pytest.mark.parametrize(
    ("words", "env", "left"),
    [
        ((), {}, 3),
        (("--prefetch-multiplier=4",), {}, 0),
        (("--prefetch-multiplier=1",), {"CELERY_WORKER_PREFETCH_MULTIPLIER": "4"}, 3),
    ],
)
def test_prefetch(
    run: Run,
    sample: ModuleType,
    store: Redis,
    words: tuple[str, ...],
    env: dict[str, str],
    left: int,
) -> None:
    done = run("start", "--detach", *QUICK, *words, "--json", **env)
    facts = json.loads(done.stdout)
    for name in range(4):
        sample.Sleeps.perform_async(str(name), 2)
    until(lambda: started(store) == ["0"], "the first runs")
    until(lambda: store.llen("default") == left, "what is prefetched has left the queue")
    says = "strict order of the queues holds per fetch"
    assert (says in Path(facts["logfile"]).read_text()) == (says in done.stderr) == (left == 0)
    run("stop")


def test_a_flag_beats_a_variable(run: Run) -> None:
    start(run, "--concurrency=3", CELERY_WORKER_CONCURRENCY="2", CELERY_WORKER_HOSTNAME="named@%h")
    assert processes(run)["named"]["concurrency"] == 3


def test_options_of_celery_pass_through(run: Run, project: Project) -> None:
    words = ("-P", "threads", "-c", "2", "-Q", "low", "-n", "one@%h", "-D", "-l", "warning")
    run("start", *words, "--without-mingle", "-Ofair")
    shown = processes(run)["one"]
    assert (shown["pool"], shown["concurrency"], shown["queues"]) == ("threads", 2, ["low"])
    assert "--optimization=fair" in records(project)[0].options


def test_gevent_patches_python(run: Run, sample: ModuleType, store: Redis) -> None:
    gevent_or_skip()
    run("start", "--detach", "--pool=gevent", "--concurrency=2", "--without-mingle")
    assert [each["pool"] for each in processes(run).values()] == ["gevent"]
    sleep_together(sample, store)


def test_gevent_in_a_terminal(run: Run, project: Project, sample: ModuleType, store: Redis) -> None:
    gevent_or_skip()
    words = ("worker", "start", "-P", "gevent", "-c2", "--without-mingle")
    worker = project.start("flaskiq", *words, **APP)
    worker.wait_for(" ready.")
    sleep_together(sample, store)
    run("restart", "-c", "3")
    assert [each["concurrency"] for each in processes(run).values()] == [3]
    assert [record.pid for record in records(project)] == [worker.pid]
    sleep_together(sample, store)


def sleep_together(sample: ModuleType, store: Redis) -> None:
    """Two jobs sleep at the same time: ``time.sleep`` lets the other run."""
    store.delete("record:started", "record:ended")
    sample.Sleeps.perform_async("one", 2)
    sample.Sleeps.perform_async("two", 2)
    until(lambda: len(started(store)) == 2, "both have begun")
    assert ended(store) == []


def test_hangup_starts_a_worker_again(run: Run, project: Project) -> None:
    facts = start(run, "--name=one")
    os.kill(facts["pid"], signal.SIGHUP)
    log = Path(facts["logfile"])
    until(lambda: log.read_text().count(" ready.") == 2, "it is ready again")
    until(lambda: records(project) and records(project)[0].is_ready, "it has a record")
    assert records(project)[0].pid == facts["pid"]
    run("stop")


BROKEN = """
import sys, time
from flask import Flask
from flaskiq import Flaskiq
app = Flask(__name__)
Flaskiq(app)
if sys.argv[0].endswith("flaskiq_worker.py"):
    print("importing", flush=True)
    {what}
"""


@pytest.mark.parametrize(
    ("what", "timeout", "says"),
    [
        ("raise LookupError('no luck')", "60", ("has ended", "LookupError: no luck")),
        ("time.sleep(600)", "3", ("was not ready within 3 s", "importing")),
    ],
)
def test_detach_reports_what_has_not_come_up(
    run: Run, project: Project, what: str, timeout: str, says: tuple[str, str]
) -> None:
    project.write("broken.py", BROKEN.format(what=what))
    done = run("start", "--detach", "--timeout", timeout, code=1, FLASKIQ_APP="broken")
    assert all(text in done.stderr for text in says)
    assert done.stdout == ""
    assert records(project) == []
    log = next(project.folder.glob(".flaskiq/workers/*.log"))
    assert str(log) in done.stderr
    assert not [each for each in psutil.process_iter() if _has_open(each, log)]


def _has_open(process: psutil.Process, path: Path) -> bool:
    try:
        return str(path) in {each.path for each in process.open_files()}
    except psutil.Error:
        return False


def test_detach_needs_redis(run: Run, project: Project) -> None:
    done = run("start", "--detach", code=1, CELERY_BROKER_URL="redis://127.0.0.1:1/0")
    assert "CELERY_BROKER_URL" in done.stderr
    assert records(project) == []


def test_stop_needs_no_redis(run: Run, project: Project) -> None:
    start(run, "--name=one")
    done = run("stop", CELERY_BROKER_URL="redis://127.0.0.1:1/0")
    assert "Redis does not answer" in done.stderr
    assert records(project) == []


def test_a_folder_that_cannot_be_written_to(run: Run, project: Project) -> None:
    project.write(".flaskiq", "a file where the folder should be")
    worker = project.start("flaskiq", "worker", "start", *QUICK, **APP)
    worker.wait_for(" ready.")
    assert "No record is kept" in worker.output
    (node,) = processes(run)
    run("stop", "--name", node)
    assert worker.wait() == 0
    done = run("start", "--detach", code=1)
    assert "No worker can run in the background here" in done.stderr


def test_a_worker_that_celery_has_started_is_stopped_too(run: Run, project: Project) -> None:
    def start(app: str, name: str) -> Process:
        return project.worker(app, *QUICK, f"--hostname={name}@%h", PYTHONPATH=LIB)

    ours, named = start("sample:celery_app", "ours"), start("sample:celery_app", "named")
    other = start("sample:neighbour_celery", "other")
    assert "flags" in run("restart", "--name=named", code=1).stderr
    run("stop", "--name=named")
    assert named.wait() == 0
    assert ours.is_running
    run("stop")
    assert ours.wait() == 0
    assert other.is_running, "it is another app's"
    run("stop", "--name=other")
    assert other.wait() == 0


def test_below_flask(run: Run, project: Project) -> None:
    program = str(Path(sys.executable).with_name("flask"))
    words = ["--app", "sample:app", "flaskiq", "worker", "start", "--detach", *QUICK, "--json"]
    env = project.environ(PYTHONPATH=LIB)
    subprocess.run(
        [program, *words], cwd=project.folder, env=env, check=True, timeout=60, capture_output=True
    )
    assert len(processes(run)) == 1
    run("stop")
    assert records(project) == []
