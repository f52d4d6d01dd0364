"""``flaskiq doctor``: each fault is staged on a real server, found, and its cure is named."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from fleet import LIB
from processes import Project
from proxy import OldServer, Proxy
from redis import Redis
from servers import Server, binary, free_port
from waiting import until

from flaskiq.failure import Failure
from flaskiq.settings import TABLE
from flaskiq.store.place import Placed
from flaskiq.store.store import Store

APP = """
from flask import Flask
from flaskiq import Flaskiq, Worker, WorkerRegistry

app = Flask(__name__)
app.config.update({config})
flaskiq = Flaskiq(app)

class Hello(Worker):
    @classmethod
    def perform(cls, name):
        pass

{more}

WorkerRegistry.initialize()
"""

PROGRAM = str(Path(sys.executable).with_name("flaskiq"))

Finding = dict[str, str]


class SkewedServer(Proxy):
    """Stands before a server and says that it is later there, by some seconds."""

    def __init__(self, port: int, seconds: int) -> None:
        super().__init__(port)
        self._seconds = seconds

    def alter(self, reply: bytes) -> bytes:
        return re.sub(
            rb"\*2\r\n\$10\r\n(\d{10})\r\n",
            lambda found: b"*2\r\n$10\r\n%d\r\n" % (int(found[1]) + self._seconds),
            reply,
        )


class Clinic:
    """An application on a server of its own, and what the doctor says of them."""

    def __init__(self, project: Project, server: Server) -> None:
        self.project, self.server = project, server
        self.redis = server.client()
        self.jobs = Store(Redis.from_url(server.url))
        self.write()

    def write(self, config: str = "", more: str = "") -> None:
        """Write the application, with Flask config and with more of its code."""
        self.project.write("app.py", APP.format(config=f"{{{config}}}", more=more))

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Call the doctor, who need not wait for workers: those of Flaskiq tell by themselves."""
        return subprocess.run(
            [PROGRAM, "doctor", "--timeout", "0.2", *words],
            cwd=self.project.folder,
            env=self.project.environ(**env),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def document(self, *words: str, **env: str) -> dict[str, Any]:
        """Return what the doctor says, once it is consistent."""
        done = self.run("--json", *words, **env)
        assert done.stdout, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        findings = document["findings"]
        is_bad = any(finding["level"] == "problem" for finding in findings)
        assert (done.returncode, document["ok"]) == (int(is_bad), not is_bad)
        for finding in findings:
            assert finding["what"]
            assert finding["level"] == "ok" or (finding["why"] and finding["mend"]), finding
        return document

    def of(self, check: str, *words: str, **env: str) -> list[Finding]:
        """Return the findings of a check."""
        found = self.document(*words, **env)["findings"]
        return [finding for finding in found if finding["check"] == check]

    def one(self, check: str, **env: str) -> Finding:
        """Return the only finding of a check."""
        (found,) = self.of(check, **env)
        return found

    def all(self) -> dict[str, bytes]:
        """Return everything in Redis but what kombu notes of its own queues for answers."""
        keys = [key for key in self.redis.keys("*") if not key.startswith("_kombu")]
        return {key: self.jobs.client.dump(key) for key in keys}

    def push(self, task: str, key: str = "default", count: int = 1) -> bytes:
        """Put jobs of a task into a list, as any client of Celery might; return one."""
        raw = message(task)
        self.redis.lpush(key, *[raw] * count)
        return raw.encode()


def message(task: str) -> str:
    return json.dumps(
        {
            "body": json.dumps([["x"], {}, {}]),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": {"id": f"id of {task}", "task": task, "root_id": "root"},
            "properties": {"delivery_info": {"exchange": "", "routing_key": "default"}},
        }
    )


@pytest.fixture(scope="module")
def own_server(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that keeps what it has; ``server`` makes sure that there is a program."""
    program = binary()
    assert program
    own = Server(program, tmp_path_factory.mktemp("clinic"), append_only=True)
    yield own
    own.stop()


@pytest.fixture
def clinic(own_server: Server, tmp_path: Path) -> Iterator[Clinic]:
    """A healthy setup; what a test changes about the server is undone."""
    project = Project(tmp_path, {"CELERY_BROKER_URL": own_server.url})
    clinic = Clinic(project, own_server)
    clinic.redis.flushall()
    usual = clinic.redis.config_get("maxmemory", "maxmemory-policy", "save", "append*")
    yield clinic
    project.end()
    clinic.redis.replicaof("NO", "ONE")
    clinic.redis.acl_deluser("app")
    for name in ("maxmemory", "maxmemory-policy", "save", "appendonly", "appendfsync"):
        clinic.redis.config_set(name, usual[name])
    clinic.redis.close()
    clinic.jobs.client.close()


# A healthy setup


def test_a_healthy_setup_is_well(clinic: Clinic) -> None:
    worker = clinic.project.start("flaskiq", "worker", "start", "-P", "solo")
    worker.wait_for(" ready.")
    levels = {finding["level"] for finding in clinic.document()["findings"]}
    assert levels == {"ok", "info"}
    done = clinic.run()
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "All is well."


def test_warnings_alone_are_no_failure(clinic: Clinic) -> None:
    done = clinic.run()
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "no problems, 1 warning.")


def test_it_changes_nothing(clinic: Clinic) -> None:
    clinic.push("foreign.Task")
    clinic.jobs.scheduled.add("later", 2e9, Placed("default", "default", message("x").encode()))
    before = clinic.all()
    clinic.document()
    assert clinic.all() == before


# Broker and server


def test_a_broker_that_is_not_there(clinic: Clinic) -> None:
    url = f"redis://app:s3cret@127.0.0.1:{free_port()}/0"
    document = clinic.document(CELERY_BROKER_URL=url)
    (broker,) = [each for each in document["findings"] if each["check"] == "broker"]
    assert broker["level"] == "problem"
    assert "refused" in broker["what"]
    assert "CELERY_BROKER_URL" in broker["mend"]
    assert {"server", "memory", "queues"} <= set(document["skipped"])
    text = clinic.run("--settings", CELERY_BROKER_URL=url)
    assert "Not looked at without the broker: server" in text.stdout
    assert "redis://app:***@127.0.0.1" in text.stdout
    assert "s3cret" not in json.dumps(document) + text.stdout + text.stderr


def test_a_wrong_password(clinic: Clinic) -> None:
    clinic.redis.acl_setuser("app", enabled=True, passwords="+right", keys="*", commands=["+@all"])
    url = clinic.server.url.replace("redis://", "redis://app:wr0ng@")
    found = clinic.one("broker", CELERY_BROKER_URL=url)
    assert found["level"] == "problem"
    assert "user and password" in found["mend"]
    assert "wr0ng" not in str(found)


def test_an_old_server(clinic: Clinic) -> None:
    proxy = OldServer(clinic.server.port)
    found = clinic.one("server", CELERY_BROKER_URL=proxy.url)
    proxy.close()
    assert found["level"] == "problem"
    assert "too old" in found["what"]
    assert "Upgrade the server" in found["mend"]


def test_a_replica(clinic: Clinic) -> None:
    clinic.redis.replicaof("127.0.0.1", "1")
    found = clinic.one("server")
    assert (found["level"], found["what"]) == ("problem", "the server is a replica")
    assert "127.0.0.1:1" in found["mend"]


def test_a_cluster(clinic: Clinic, tmp_path: Path) -> None:
    # Its bus listens 10,000 ports higher unless told, and there may be none.
    bus = ("--cluster-port", str(free_port()))
    cluster = Server(str(binary()), tmp_path, "--cluster-enabled", "yes", *bus)
    found = clinic.one("server", CELERY_BROKER_URL=cluster.url)
    cluster.stop()
    assert found["level"] == "problem"
    assert "cluster-enabled no" in found["mend"]


@pytest.mark.parametrize(
    ("seconds", "level", "words"),
    [(5, "warning", "ahead"), (300, "problem", "early"), (-300, "problem", "behind")],
)
def test_a_clock_that_is_wrong(clinic: Clinic, seconds: int, level: str, words: str) -> None:
    proxy = SkewedServer(clinic.server.port, seconds)
    found = clinic.one("clock", CELERY_BROKER_URL=proxy.url)
    proxy.close()
    assert found["level"] == level
    assert words in found["what"] + found["why"]
    assert "NTP" in found["mend"]


def test_what_a_provider_denies(clinic: Clinic) -> None:
    clinic.redis.config_set("appendonly", "no")
    denied = ["+@all", "-config", "-time"]
    clinic.redis.acl_setuser("app", enabled=True, passwords="+pw", keys="*", commands=denied)
    clinic.redis.execute_command("ACL", "SETUSER", "app", "&*")
    url = clinic.server.url.replace("redis://", "redis://app:pw@")
    found = clinic.document(CELERY_BROKER_URL=url)["findings"]
    by_check = {finding["check"]: finding for finding in found}
    assert by_check["persistence"]["level"] == "warning"
    assert "CONFIG is denied" in by_check["persistence"]["what"]
    assert by_check["clock"]["level"] == "warning"
    assert "could not be looked at" in by_check["clock"]["what"]
    assert by_check["memory"]["level"] == "ok"


# Memory and persistence


def test_eviction(clinic: Clinic) -> None:
    clinic.redis.config_set("maxmemory-policy", "allkeys-lru")
    found = clinic.one("memory")
    assert found["level"] == "problem"
    assert "allkeys-lru" in found["what"]
    assert "maxmemory-policy noeviction" in found["mend"]


def test_a_memory_that_is_nearly_full(clinic: Clinic) -> None:
    for number in range(32):
        clinic.redis.set(f"much{number}", "x" * (1 << 20))
    used = clinic.redis.info("memory")["used_memory"]
    clinic.redis.config_set("maxmemory", int(used * 1.06))
    policy, full = clinic.of("memory")[::-1]
    assert (policy["level"], full["level"]) == ("ok", "warning")
    assert "maxmemory" in full["mend"]


@pytest.mark.parametrize(
    ("config", "level", "words"),
    [
        ({"appendonly": "no", "save": ""}, "problem", "no snapshots"),
        ({"appendonly": "no", "save": "3600 1"}, "warning", "snapshots only (save 3600 1)"),
        ({"appendonly": "yes", "appendfsync": "no"}, "warning", "appendfsync is no"),
        ({"appendonly": "yes", "appendfsync": "everysec"}, "ok", "appendfsync is everysec"),
    ],
)
def test_persistence(clinic: Clinic, config: dict[str, str], level: str, words: str) -> None:
    for name, value in config.items():
        clinic.redis.config_set(name, value)
    found = clinic.one("persistence")
    assert found["level"] == level
    assert words in found["what"]
    assert level == "ok" or "CONFIG SET append" in found["mend"]


def test_a_snapshot_that_failed(clinic: Clinic, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    server = Server(str(binary()), folder)
    shutil.rmtree(folder)
    with server.client() as client:
        client.set("something", 1)
        client.bgsave()
        until(lambda: client.info()["rdb_last_bgsave_status"] == "err", "the snapshot fails")
    found = clinic.of("persistence", CELERY_BROKER_URL=server.url)
    server.stop()
    assert ("problem", "the last snapshot failed") in [
        (each["level"], each["what"]) for each in found
    ]


# Queued names


def test_jobs_that_nobody_can_run_in_any_list_of_a_queue(clinic: Clinic) -> None:
    for key in ("default\x06\x169", "low\x06\x163", "low\x06\x166", "critical"):
        clinic.push("app.Helo", key, count=2)
        clinic.push("app.Hello", key)
    found = clinic.one("names")
    assert found["level"] == "problem"
    places = "2 in queue critical and 2 in queue default and 4 in queue low"
    assert found["what"].startswith(f"{places}: nothing here is called 'app.Helo'")
    assert "did you mean 'app.Hello'?" in found["what"]
    assert "name = 'app.Helo'" in found["mend"]


def test_such_jobs_in_the_sets(clinic: Clinic) -> None:
    placed = Placed("default", "default", message("old.Task").encode())
    clinic.jobs.scheduled.add("one", time.time() + 3600, placed)
    clinic.jobs.retry.add("two", time.time() + 3600, placed)
    clinic.jobs.dead.bury("three", placed, Failure.of(LookupError(), 1))
    of_others = Placed("theirs", "theirs", message("their.Task").encode())
    clinic.jobs.scheduled.add("four", time.time() + 3600, of_others)
    found = clinic.one("names")
    assert found["level"] == "problem"
    places = "1 in the dead set and 1 in the retry set and 1 in the scheduled set"
    assert found["what"].startswith(f"{places}: nothing here is called 'old.Task'")
    clinic.jobs.scheduled.remove("one")
    clinic.jobs.retry.remove("two")
    assert clinic.one("names")["level"] == "warning", "what is dead waits for nobody"


def test_messages_that_nobody_can_read(clinic: Clinic) -> None:
    clinic.redis.lpush("default", "{broken")
    clinic.redis.lpush("low", "[]")
    clinic.redis.lpush("critical", '{"body": "", "headers": {}, "properties": {}}')
    found = clinic.one("names")
    places = "1 in queue critical and 1 in queue default and 1 in queue low"
    assert (found["level"], found["what"]) == ("problem", f"{places} cannot be read")


def test_a_job_of_protocol_1_has_its_name_elsewhere(clinic: Clinic) -> None:
    old = Celery(broker=clinic.server.url, set_as_current=False)
    old.conf.update(task_protocol=1, task_default_queue="default")
    with old.connection_for_write() as connection:
        old.send_task("app.Hello", ["x"], connection=connection)
    assert clinic.one("names")["what"] == "each of 1 jobs that wait has a task here"
    with old.connection_for_write() as connection:
        old.send_task("old.Task", connection=connection)
    assert "called 'old.Task'" in clinic.one("names")["what"]


def test_it_looks_at_so_many_jobs_and_no_more(clinic: Clinic) -> None:
    clinic.push("old.Task", count=1_500)
    assert clinic.one("names")["what"].startswith("1,000 in queue default")
    clinic.redis.flushall()
    for number in range(25):
        clinic.push(f"old.Task{number}")
    found = clinic.of("names")
    assert (len(found), found[-1]["what"]) == (21, "5 more names are unknown")


# Who consumes the queues


def test_no_worker_at_all(clinic: Clinic) -> None:
    found = clinic.one("queues")
    assert (found["level"], found["what"]) == ("warning", "no worker runs")
    clinic.push("app.Hello", count=2)
    clinic.push("app.Hello", "default\x06\x169")
    found = clinic.one("queues")
    assert found["level"] == "problem"
    assert found["what"] == "no worker runs, and jobs wait: 3 in 'default'"
    assert found["mend"] == "flaskiq worker start"


def test_a_queue_that_no_worker_consumes(clinic: Clinic) -> None:
    worker = clinic.project.start("flaskiq", "worker", "start", "-P", "solo", "-Q", "low")
    worker.wait_for(" ready.")
    clinic.redis.rpush("of-another-kind", "1")

    found = clinic.one("queues")
    assert found["level"] == "warning"
    assert found["what"] == "no worker consumes queue 'default', and no job waits in it"
    assert "the queue of app.Hello" in found["why"]

    clinic.push("app.Hello")
    clinic.push("app.Hello", "lwo", count=2)
    clinic.redis.sadd("flaskiq:paused", "low")
    by_what = {each["what"]: each for each in clinic.of("queues")}
    assert len(by_what) == 3
    own = by_what["no worker consumes queue 'default', and 1 job waits in it"]
    assert own["level"] == "problem"
    assert "flaskiq worker start --queue 'default'" in own["mend"]
    misspelt = by_what["no worker consumes queue 'lwo', and 2 jobs wait in it"]
    assert misspelt["level"] == "warning"
    assert "not configured here" in misspelt["why"]
    paused = by_what["queue 'low' is paused, and no job waits in it"]
    assert paused["level"] == "warning"

    worker.send(signal.SIGTSTP)
    until(lambda: "is quiet" in str(clinic.of("queues")), "the heartbeat says that it is quiet")


def test_a_stock_worker_answers_by_itself(clinic: Clinic) -> None:
    worker = clinic.project.worker(
        "stock", "--pool=solo", PYTHONPATH=LIB, CELERY_RESULT_BACKEND=clinic.server.url
    )
    found = clinic.of("queues", "--timeout", "5")
    assert [each["level"] for each in found] == ["ok"], worker.output
    assert "critical, default, low" in found[0]["what"]


# The app


def test_time_limits(clinic: Clinic) -> None:
    found = clinic.one("limits")
    assert found["level"] == "info"
    assert "1800 s" in found["what"]
    assert "25 s" in found["what"]
    assert "FLASKIQ_SHUTDOWN_TIMEOUT" in found["mend"]
    assert clinic.one("limits", CELERY_TASK_TIME_LIMIT="20")["level"] == "ok"
    found = clinic.one("limits", CELERY_TASK_TIME_LIMIT="0")
    assert (found["level"], found["what"]) == ("warning", "no hard time limit: app.Hello")
    assert "CELERY_TASK_TIME_LIMIT" in found["mend"]


def test_a_pool_without_time_limits(clinic: Clinic) -> None:
    clinic.write(config="'CELERY': {'worker_pool': 'threads'}")
    found = [each for each in clinic.of("limits") if each["level"] == "warning"]
    assert "worker_pool is threads" in found[0]["what"]


def test_tasks_that_are_acknowledged_early(clinic: Clinic) -> None:
    task = "@flaskiq.celery.task(acks_late=False)\ndef {}(): pass\n"
    clinic.write(more=task.format("one") + task.format("two"))
    found = clinic.of("acknowledgement")
    assert [(each["level"], each["what"].partition(" ")[0]) for each in found] == [
        ("warning", "app.one"),
        ("warning", "app.two"),
    ]
    assert "at most once" in found[0]["why"]
    clinic.write(config="'CELERY': {'task_acks_late': False}")
    found = clinic.of("acknowledgement")
    assert "task_acks_late is False" in found[0]["what"]
    assert "app.Hello" in found[1]["what"]


@pytest.mark.parametrize(
    ("query", "config"),
    [
        ("?ssl_cert_reqs=none", ""),
        ("", "'CELERY': {'broker_use_ssl': {'ssl_cert_reqs': 0}}"),
        ("", "'CELERY': {'broker_use_ssl': {'ssl_cert_reqs': 'none'}}"),
    ],
)
def test_tls_without_verification(clinic: Clinic, query: str, config: str) -> None:
    clinic.write(config)
    broker = f"rediss://:s3cret@127.0.0.1:{free_port()}/0{query}"
    env = {"CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": "disabled://"}
    found = clinic.one("tls", **env)
    assert found["level"] == "warning"
    assert found["what"].startswith("the certificate of rediss://:***@127.0.0.1")
    assert "ssl_ca_certs" in found["mend"]


def test_tls_with_verification(clinic: Clinic) -> None:
    broker = f"rediss://127.0.0.1:{free_port()}/0"
    assert clinic.one("tls", CELERY_BROKER_URL=broker)["level"] == "ok"


def test_results(clinic: Clinic) -> None:
    found = clinic.one("results", CELERY_RESULT_BACKEND="disabled://")
    assert (found["level"], found["what"]) == ("info", "there is no result backend")
    found, chord = clinic.of(
        "results", CELERY_RESULT_EXPIRES="60", CELERY_RESULT_CHORD_EXPIRES="90"
    )
    assert found["level"] == chord["level"] == "warning"
    assert found["what"] == "CELERY_RESULT_EXPIRES is 60 s, and a job may run for 1800 s"
    assert found["mend"] == "CELERY_RESULT_EXPIRES=3600"
    assert chord["what"].startswith("CELERY_RESULT_CHORD_EXPIRES is 90 s")
    assert clinic.one("results", CELERY_RESULT_EXPIRES="0")["level"] == "ok"


CRON = """
class Nightly(Worker):
    cron_schedule = "@daily"

    @classmethod
    def perform(cls):
        pass
"""


def test_cron_entries_and_nobody_who_enqueues_them(clinic: Clinic) -> None:
    assert clinic.of("cron") == [], "there are no entries"
    clinic.write(more=CRON)
    found = clinic.one("cron")
    assert (found["level"], found["what"]) == (
        "problem",
        "the app has 1 cron entry, and no scheduler runs",
    )
    assert "flaskiq beat" in found["mend"]
    other = clinic.one("cron", FLASKIQ_SCHEDULER="celery")
    assert (other["level"], "Celery's scheduler" in other["what"]) == ("info", True)
    clinic.project.start("flaskiq", "beat")
    until(lambda: clinic.one("cron")["level"] == "ok", "a scheduler leads")


@pytest.mark.parametrize("url", ["redis://:s3cret@127.0.0.1:{port}/1", "db+nothing://:s3cret@x"])
def test_a_result_backend_that_is_not_there(clinic: Clinic, url: str) -> None:
    found = clinic.one("results", CELERY_RESULT_BACKEND=url.format(port=free_port()))
    assert found["level"] == "problem"
    assert "CELERY_RESULT_BACKEND" in found["mend"]
    assert "s3cret" not in str(found)


def test_settings_that_act_on_nothing(clinic: Clinic) -> None:
    clinic.write(
        "'CELERYD_POOL': 'solo', 'CELERY_MAGIC': 1, 'CELERY_TIMEZONE': 'UTC', 'FLASKIQ_APP': 'app',"
        " 'CELERY_TASK_EAGER_PROPAGATES': 1,"
        " 'CELERY': {'timezone': 'Europe/Berlin', 'worker_disable_prefetch': True,"
        " 'broker_transport_options': {'visibility_timeout': 60}}"
    )
    env = {
        "FLASKIQ_QUES": "a",
        "CELERY_TASK_ALWAYS_EAGER": "1",
        "CELERY_WORKER_CONCURENCY": "1",
        "BROKER_URL": "redis://:s3cret@x/0",
        "CELERY_WORKER_PREFETCH_MULTIPLIER": "4",
    }
    expected = {
        "FLASKIQ_QUES": "Did you mean 'FLASKIQ_QUEUES'?",
        "CELERY_TASK_ALWAYS_EAGER (env": "'task_always_eager'",
        "CELERY_WORKER_CONCURENCY": "CONCURRENCY",
        "CELERY_TASK_EAGER_PROPAGATES (Flask": "task_eager_propagates",
        "CELERYD_POOL": "worker_pool",
        "CELERY_MAGIC": "take it out",
        "BROKER_URL (env": "CELERY_BROKER_URL",
        "CELERY_TIMEZONE (Flask config)": "timezone (CELERY in Flask config) comes first",
        "FLASKIQ_APP (Flask": "environment",
        "visibility_timeout in broker_transport_options": "FLASKIQ_HEARTBEAT_TTL",
        "worker_prefetch_multiplier = 4": "worker_disable_prefetch",
    }
    found = clinic.of("settings", **env)
    assert {each["level"] for each in found} == {"warning"}
    for name, mend in expected.items():
        (each,) = [each for each in found if each["what"].startswith(name)]
        assert mend in each["mend"], each
    assert len(found) == len(expected), found
    assert "s3cret" not in str(found)


def test_what_others_set_is_left_alone(clinic: Clinic) -> None:
    env = {"CELERY_BIN": "celery", "CELERY_RESULT_EXPIRES": "7200", "BROKER": "x"}
    clinic.write("'CELERY_RESULT_EXPIRES': 60, 'S3_BUCKET': 'b', 'SECRET_KEY': 'k'")
    found = clinic.one("settings", **env)
    assert (found["level"], found["what"]) == ("ok", "every setting that was found acts")


# What it prints


def test_every_setting_with_its_source_and_without_secrets(clinic: Clinic) -> None:
    clinic.write(
        "'CELERY': {'s3_secret_access_key': 's3cret', 'worker_pool': 'solo',"
        " 'redis_socket_timeout': 9, 'broker_transport_options': {'sentinel_kwargs': 's3cret'}},"
        " 'CELERY_RESULT_BACKEND': 'redis://:s3cret@127.0.0.1/1'"
    )
    env = {"FLASKIQ_QUEUES": "default,low", "CELERY_WORKER_OPTS": "-b redis://:s3cret@x"}
    settings = {each["name"]: each for each in clinic.document(**env)["settings"]}
    assert list(settings) == [row.name for row in TABLE]
    assert settings["FLASKIQ_QUEUES"] == {
        "name": "FLASKIQ_QUEUES",
        "value": ["default", "low"],
        "source": "environment",
    }
    assert settings["FLASKIQ_HEARTBEAT_TTL"]["value"] == 15
    assert settings["FLASKIQ_HEARTBEAT_TTL"]["source"] == "default"
    assert settings["CELERY_RESULT_BACKEND"]["value"] == "redis://:***@127.0.0.1/1"
    assert settings["CELERY"]["value"] == {
        "s3_secret_access_key": "***",
        "worker_pool": "solo",
        "redis_socket_timeout": 9,
        "broker_transport_options": "1 entries",
    }
    done = clinic.run("--settings", **env)
    lines = {" ".join(line.split()) for line in done.stdout.splitlines()}
    assert {"FLASKIQ_QUEUES default,low environment", "SETTING VALUE SOURCE"} <= lines
    assert "s3cret" not in json.dumps(settings) + done.stdout
    assert "SETTING" not in clinic.run(**env).stdout


def test_problems_come_first_and_a_summary_last(clinic: Clinic) -> None:
    clinic.redis.config_set("maxmemory-policy", "allkeys-lru")
    done = clinic.run()
    headings = [line for line in done.stdout.splitlines() if line and not line.startswith(" ")]
    assert headings == [
        "Problems",
        "Warnings",
        "Good to know",
        "All right",
        "1 problem, 1 warning.",
    ]
    assert "Mend: redis-cli CONFIG SET maxmemory-policy noeviction" in done.stdout
    assert "\x1b" not in done.stdout


def test_colours_on_a_terminal(clinic: Clinic) -> None:
    ours, theirs = pty.openpty()
    doctor = subprocess.Popen(
        [PROGRAM, "doctor", "--timeout", "0.2"],
        cwd=clinic.project.folder,
        env=clinic.project.environ(TERM="xterm"),
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    shown = b""
    while chunk := _read(ours):
        shown += chunk
    os.close(ours)
    assert doctor.wait() == 0
    assert b"\x1b[" in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # the other end is closed
        return b""


def test_without_an_app_it_is_wrong_usage(clinic: Clinic) -> None:
    (clinic.project.folder / "app.py").unlink()
    assert clinic.run().returncode == 2
