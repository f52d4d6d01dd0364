"""An application for tests: imported by the test and by the worker that runs its jobs."""

from __future__ import annotations

import asyncio
import builtins
import json
import os
import signal
import time
from typing import Any

import redis
from celery.exceptions import SoftTimeLimitExceeded
from flask import Flask, current_app
from overrides import OVERRIDES

from flaskiq import Discard, Flaskiq, Kill, Snooze, Worker, WorkerRegistry, current_job
from flaskiq.job import Job

neighbour = Flask("neighbour")
neighbour_celery = Flaskiq(
    neighbour
).celery  # not alone in the process, so that Workers of other tests are not its own

app = Flask("sample")
app.config["FLASKIQ_WORKERS"] = ["sample"]
app.config["CELERY"] = json.loads(os.environ.get(OVERRIDES, "{}"))
flaskiq = Flaskiq(app)
celery_app = flaskiq.celery


@flaskiq.on_error
def note_error(job: Job, error: Exception) -> None:
    """Record what a handler is told of the jobs that are about it."""
    if "oomed" in job.worker or job.worker in {"sample.Dropped", "sample.Hurried"}:
        record("errors", f"{job.worker} {job.attempt} {type(error).__name__} {current_app.name}")


@flaskiq.on_death
def note_death(job: Job, error: Exception) -> None:
    """Record it, and break."""
    if "oomed" in job.worker or job.worker in {"sample.Dropped", "sample.Hurried", "sample.Kills"}:
        record("deaths", f"{job.id} {job.attempt} {type(error).__name__} {current_app.name}")
        raise RuntimeError("a broken handler changes nothing")


def record(key: str, value: Any) -> None:
    """Append to a list that the test reads."""
    with redis.Redis.from_url(celery_app.conf.broker_url) as client:
        client.rpush(f"record:{key}", str(value))


class Add(Worker):
    """Returns a sum."""

    @classmethod
    def perform(cls, left: int, right: int) -> int:
        return left + right


class AddAsync(Worker):
    """Returns a sum, later."""

    @classmethod
    async def perform(cls, left: int, right: int) -> int:
        await asyncio.sleep(0.01)
        return left + right


class Fan(Worker):
    """Enqueues jobs of its own, and returns what their messages say of their family."""

    @classmethod
    def perform(cls, width: int) -> str:
        jobs = Add.set(queue="fan").perform_bulk([(index, 0) for index in range(width)])
        with redis.Redis.from_url(celery_app.conf.broker_url) as client:
            messages = [json.loads(raw) for raw in client.lrange("fan", 0, -1)]
        assert len(messages) == len(jobs)
        return json.dumps([message["headers"] for message in messages])


class Describe(Worker):
    """Returns what it finds around itself."""

    queue = "low"

    @classmethod
    def perform(cls) -> dict[str, Any]:
        return {
            "app": current_app.name,
            "id": current_job.id,
            "worker": current_job.worker,
            "queue": current_job.queue,
            "attempt": current_job.attempt,
            "headers": dict(current_job.headers),
        }


class Fails(Worker):
    """Fails until the given attempt."""

    retry_backoff = False
    retry_delay = 0

    @classmethod
    def perform(cls, until_attempt: int) -> int:
        record("attempts", current_job.attempt)
        if current_job.attempt < until_attempt:
            raise LookupError(f"attempt {current_job.attempt}")
        return current_job.attempt


class Unlucky(Worker):
    """Fails as it is told to, until the given attempt."""

    max_retries = 1
    retry_on = (LookupError, OSError)
    discard_on = (FileNotFoundError,)

    @classmethod
    def retry_in(cls, attempt: int, exc: Exception) -> float | None:
        return 3600 if isinstance(exc, OSError) else 0

    @classmethod
    def perform(cls, error: str, until_attempt: int = 100) -> int:
        record("attempts", current_job.attempt)
        if current_job.attempt < until_attempt:
            raise getattr(builtins, error)("no luck \ud800")
        return current_job.attempt


class Doomed(Worker):
    """Ends as it is told to, until somebody has mended the cause."""

    max_retries = 1
    retry_backoff = False
    retry_delay = 0

    @classmethod
    def retries_exhausted(cls, job: Job, exc: Exception) -> None:
        record("exhausted", f"{job.worker} {job.args} {job.attempt} {exc!r} {current_app.name}")
        raise RuntimeError("a broken hook changes nothing")

    @classmethod
    def perform(cls, ending: str) -> str:
        with redis.Redis.from_url(celery_app.conf.broker_url) as client:
            if client.get("mended"):
                return f"done at attempt {current_job.attempt}"
        if ending == "kill":
            raise Kill("enough")
        if ending == "discard":
            raise Discard("enough")
        if ending == "unreadable":
            return object()  # type: ignore[return-value]
        if ending == "sleep":
            try:
                time.sleep(60)
            except SoftTimeLimitExceeded:
                time.sleep(60)
        raise LookupError("\ud800" + "x" * 100_000)


class Dropped(Doomed):
    """Is not kept when it gave up."""

    dead = False
    max_retries = 0


class Hurried(Doomed):
    """Is stopped at its time limit."""

    time_limit = 2


class Snoozes(Worker):
    """Waits until it is told to go on; then it fails once, and discards itself."""

    retry_backoff = False
    retry_delay = 0

    @classmethod
    def perform(cls, seconds: float) -> None:
        record("attempts", current_job.attempt)
        with redis.Redis.from_url(celery_app.conf.broker_url) as client:
            if not client.getdel("go"):
                raise Snooze(seconds)
        if current_job.attempt == 1:
            raise LookupError
        raise Discard("nothing to do")


class Progresses(Worker):
    """Reports progress twice and goes on when it is told to."""

    @classmethod
    def perform(cls) -> str:
        with redis.Redis.from_url(celery_app.conf.broker_url) as client:
            for done in (1, 2):
                current_job.progress(done, 2, f"step {done}")
                client.blpop(["go"], timeout=20)
        return "arrived"


class Silent(Worker):
    """Keeps no result."""

    ignore_result = True

    @classmethod
    def perform(cls) -> None:
        current_job.progress(1, 1)
        record("silent", current_job.id)


class SoftLimited(Worker):
    """Runs into its soft time limit."""

    soft_time_limit = 1
    time_limit = 20
    retry_backoff = False
    retry_delay = 0

    @classmethod
    def perform(cls) -> None:
        record("attempts", current_job.attempt)
        try:
            time.sleep(15)
        except SoftTimeLimitExceeded:
            record("cleaned up", current_job.attempt)
            raise


class FailsSlowly(Worker):
    """Fails, and waits an hour for its only retry."""

    max_retries = 1
    retry_backoff = False
    retry_delay = 3600

    @classmethod
    def perform(cls) -> None:
        raise LookupError(f"attempt {current_job.attempt}")


class Sleeps(Worker):
    """Takes its time."""

    @classmethod
    def perform(cls, name: str, seconds: float) -> str:
        record("started", name)
        end = time.monotonic() + seconds
        # On Python 3.10 a sleep that was frozen lasts longer by as much.
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))
        record("ended", name)
        return name


class Patient(Worker):
    """Works until it is cancelled, or for half a minute."""

    @classmethod
    def perform(cls) -> str:
        for _ in range(300):
            if current_job.is_cancelled:
                return "cancelled"
            time.sleep(0.1)
        return "never cancelled"


class Naps(Worker):
    """Takes its time, and fails until the given attempt; itself it needs no Redis."""

    retry_backoff = False
    retry_delay = 0

    @classmethod
    def perform(cls, seconds: float, until_attempt: int) -> int:
        time.sleep(seconds)
        if current_job.attempt < until_attempt:
            raise LookupError(f"attempt {current_job.attempt}")
        return current_job.attempt


class Kills(Worker):
    """Kills the process that runs it."""

    @classmethod
    def retries_exhausted(cls, job: Job, exc: Exception) -> None:
        record("exhausted", f"{job.worker} {exc}")

    @classmethod
    def perform(cls) -> None:
        record("kills", os.getpid())
        os.kill(os.getpid(), signal.SIGKILL)


class KillsParent(Worker):
    """Kills the worker whose child runs it."""

    @classmethod
    def perform(cls) -> None:
        record("kills", os.getpid())
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)


@celery_app.task(bind=True, acks_late=False)
def early(task: Any) -> int:
    """Is acknowledged before it runs, and retried once."""
    record("early", task.request.retries)
    if not task.request.retries:
        time.sleep(0.5)  # the acknowledgement is on its way, or has arrived
        raise task.retry(countdown=0)
    return int(task.request.retries)


@celery_app.task
def plain(word: str) -> list[str]:
    """A task of plain Celery."""
    return [word, current_app.name, current_job.worker]


@celery_app.task(bind=True, autoretry_for=(LookupError,), max_retries=1, default_retry_delay=0)
def doomed(self: Any, error: str) -> int:
    """Fail as it is told to, in plain Celery."""
    record("attempts", self.request.retries + 1)
    raise getattr(builtins, error)("plain")


@celery_app.task
def total(numbers: list[int]) -> int:
    """Add up what a group returned."""
    return sum(numbers)


@celery_app.task(rate_limit="2/s")
def limited(name: str) -> None:
    """Run twice in a second at most."""
    record("limited", time.time())


@celery_app.task(bind=True)
def stamps(self: Any) -> dict[str, Any]:
    """Return the stamps of this call."""
    return {name: self.request.stamps[name] for name in self.request.stamped_headers or ()}


@celery_app.task(soft_time_limit=1, time_limit=2)
def endless(name: str) -> None:
    """Run until it is killed."""
    record("started", name)
    try:
        time.sleep(60)
    except SoftTimeLimitExceeded:
        time.sleep(60)


with app.app_context():
    WorkerRegistry.initialize()
