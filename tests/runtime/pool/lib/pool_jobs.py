"""The application of these tests: imported by the test and by the node that runs its jobs."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
import time
from typing import Any

import redis
from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import worker_process_init, worker_process_shutdown
from flask import Flask

from flaskiq import Flaskiq, Logger, Worker, WorkerRegistry, current_job
from flaskiq.job import Job

OVERRIDES = "POOL_CELERY"
"""Environment variable with Celery settings in JSON, for one node."""

neighbour = Flask("pool_neighbour")
Flaskiq(neighbour)  # not alone in the process, so that Workers of other tests are not its own

app = Flask("pool_jobs")
app.config["FLASKIQ_WORKERS"] = ["pool_jobs"]
app.config["CELERY"] = json.loads(os.environ.get(OVERRIDES, "{}"))
flaskiq = Flaskiq(app)
celery_app = flaskiq.celery


@worker_process_init.connect(weak=False)
def begin_slowly(**_: Any) -> None:
    """Take so many seconds to begin, as a large application does."""
    time.sleep(float(os.environ.get("POOL_SLOW_START", "0")))


@worker_process_shutdown.connect(weak=False)
def end_slowly(**_: Any) -> None:
    """Take so many seconds to end."""
    time.sleep(float(os.environ.get("POOL_SLOW_END", "0")))


client = redis.Redis.from_url(celery_app.conf.broker_url, decode_responses=True)
"""For what jobs write down; its connections are made anew in each process."""


def record(key: str, value: Any) -> None:
    """Append to a list that the test reads."""
    client.rpush(f"record:{key}", str(value))


class Noop(Worker):
    """Does nothing."""

    ignore_result = True

    @classmethod
    def perform(cls, _: Any = None) -> None:
        return None


class Echo(Worker):
    """Returns what it was given."""

    @classmethod
    def perform(cls, value: Any) -> Any:
        return value


class Modules(Worker):
    """Returns what its process has imported."""

    @classmethod
    def perform(cls) -> list[str]:
        return sorted(sys.modules)


class Note(Worker):
    """Writes its name down, and nothing else, not even a result."""

    ignore_result = True

    @classmethod
    def perform(cls, name: Any) -> None:
        record("noted", name)


class Stamp(Worker):
    """Writes down how many milliseconds after a moment it started."""

    ignore_result = True

    @classmethod
    def perform(cls, name: str, since: float) -> None:
        now = time.time()
        record(name, round(1000 * (now - since), 3))


class Look(Worker):
    """Writes down where it comes from, and how many jobs lie in each queue as it starts."""

    ignore_result = True

    @classmethod
    def perform(cls) -> None:
        sizes = {queue: client.llen(queue) for queue in ("critical", "default", "low")}
        record("looked", json.dumps([current_job.queue, sizes]))


class Hold(Worker):
    """Runs until it is told to go on, at the latest after a minute."""

    @classmethod
    def perform(cls, name: str) -> str:
        record("started", name)
        for _ in range(6000):
            if client.exists(f"go:{name}"):
                record("ended", name)
                return name
            time.sleep(0.01)
        raise TimeoutError(name)


class Sleeps(Worker):
    """Takes its time, and needs no Redis for that."""

    @classmethod
    def perform(cls, name: str, seconds: float) -> str:
        record("slept", json.dumps([name, os.getpid()]))
        time.sleep(seconds)
        return name


class Where(Worker):
    """Returns the process that ran it, and writes it down."""

    @classmethod
    def perform(cls, name: Any = None, pause: float = 0) -> int:
        time.sleep(pause)
        record("where", json.dumps([os.getpid(), name]))
        return os.getpid()


class Counts(Worker):
    """Writes down how many of its kind run as it starts."""

    ignore_result = True

    @classmethod
    def perform(cls, seconds: float) -> None:
        record("running", client.incr("record:of-its-kind"))
        time.sleep(seconds)
        client.decr("record:of-its-kind")


class SaysAndKills(Worker):
    """Logs two lines and kills the process that runs it."""

    @classmethod
    def perform(cls) -> None:
        Logger.info(message="these are my last words")
        Logger.info(message="and these the very last")
        os.kill(os.getpid(), signal.SIGKILL)


class Kills(Worker):
    """Kills the process that runs it."""

    @classmethod
    def retries_exhausted(cls, job: Job, exc: Exception) -> None:
        record("exhausted", f"{job.id} {exc}")

    @classmethod
    def perform(cls, seconds: float = 0) -> None:
        time.sleep(seconds)
        record("kills", os.getpid())
        os.kill(os.getpid(), signal.SIGKILL)


class FreezesOnce(Worker):
    """Freezes the process that runs it, with all that it has in hand; not a second time."""

    @classmethod
    def perform(cls, name: str) -> str:
        record("frozen", name)
        if client.llen("record:frozen") == 1:
            os.kill(os.getpid(), signal.SIGSTOP)
        return name


def never_end() -> None:
    """Go on also when it is told that the soft limit is over, by default 5/6 of the hard one."""
    try:
        time.sleep(60)
    except SoftTimeLimitExceeded:
        time.sleep(60)


class Overruns(Worker):
    """Does not end by itself."""

    time_limit = 1

    @classmethod
    def perform(cls, name: str) -> None:
        record("started", name)
        record("overrun by", os.getpid())
        never_end()


class OverrunsLater(Overruns):
    """Has a little more time."""

    time_limit = 3


class SoftSleeps(Worker):
    """Sleeps over its soft limit."""

    soft_time_limit = 1
    max_retries = 0

    @classmethod
    def perform(cls) -> str:
        since = time.monotonic()
        try:
            time.sleep(30)
        except SoftTimeLimitExceeded:
            return f"after {time.monotonic() - since:.1f} s"
        return "never"


class SoftLoops(Worker):
    """Loops over its soft limit."""

    soft_time_limit = 1
    max_retries = 0

    @classmethod
    def perform(cls) -> str:
        since = time.monotonic()
        try:
            while time.monotonic() - since < 30:
                pass
        except SoftTimeLimitExceeded:
            return f"after {time.monotonic() - since:.1f} s"
        return "never"


class SoftBlocks(Worker):
    """Is over its soft limit in a call that blocks until it is told to go on."""

    soft_time_limit = 1
    max_retries = 0

    @classmethod
    def perform(cls) -> str:
        is_main = threading.current_thread() is threading.main_thread()
        name = "main" if is_main else "other"
        record("started", name)
        try:
            client.blpop(["gate"], 30)
            for _ in range(3000):
                time.sleep(0.01)
        except SoftTimeLimitExceeded:
            record("interrupted", name)
            return name
        return "never"


kept: list[bytearray] = []
"""What jobs never let go of."""


class Grows(Worker):
    """Lets its process grow by so many MiB, for good."""

    @classmethod
    def perform(cls, mib: int) -> int:
        kept.append(bytearray(os.urandom(1 << 20) * mib))
        record("where", json.dumps([os.getpid(), mib]))
        return os.getpid()


with app.app_context():
    WorkerRegistry.initialize()


class Keeps(Worker):
    """Keeps the interpreter to itself for some seconds, as a C extension can."""

    @classmethod
    def perform(cls, seconds: int) -> str:
        record("started", "keeps")
        ctypes.PyDLL(None).sleep(seconds)
        return "kept"


class Loops(Worker):
    """Runs Python code for a long time."""

    @classmethod
    def perform(cls, name: str) -> None:
        record("started", name)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            time.sleep(0.01)
        record("ended", name)
