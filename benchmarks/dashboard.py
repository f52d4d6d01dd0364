"""How long the pages of the dashboard take with many jobs, beside the same pages with ten.

    .venv/bin/python -m benchmarks.dashboard              # 1,000,000 jobs; two minutes, 2 GB
    .venv/bin/python -m benchmarks.dashboard --jobs 10000

Two servers, one with few and one with many jobs, are asked in turn, so both meet the same noise.
The time is that of the web app from request to answer, without a web server; a trip is something
that is written to Redis. Both have the same hour of metrics of 20 Workers, and the same processes.
Lists are measured with ten rows, which is as many as there are on the other side, and with as many
as they show by default.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import click
import redis
from flask import Flask
from redis.connection import Connection

from benchmarks.server import Server
from flaskiq import Flaskiq
from flaskiq.cron.schedule import CronSchedule
from flaskiq.failure import Failure
from flaskiq.store.keys import Keys
from flaskiq.store.place import Placed
from flaskiq.tally import field

FEW = 10
SHARES = {"scheduled": 0.4, "retry": 0.2, "dead": 0.1, "default": 0.3}
"""Where the jobs are; with few jobs so many are in each place."""

PAGES = (
    "/", "/busy", "/queues", "/queues/default?rows=10", "/scheduled?rows=10", "/retries?rows=10",
    "/dead?rows=10", "/cron", "/batches", "/chords", "/metrics", "/metrics/shop.Worker7", "/stats",
    "/queues/default", "/scheduled", "/retries", "/dead",
)  # fmt: skip

CRON = {
    f"entry{number}": {
        "task": f"shop.Worker{number}",
        "schedule": CronSchedule(f"{number} 3 * * *"),
    }
    for number in range(20)
}

WARM_UP, CHUNK = 5, 2_000


class Row(NamedTuple):
    """One page: its trips, and the median of its times in milliseconds."""

    page: str
    trips: int
    few: float
    many: float

    @property
    def ratio(self) -> float:
        """How much longer it takes with many jobs."""
        return self.many / self.few


@click.command()
@click.option("--jobs", default=1_000_000, show_default=True, type=click.IntRange(FEW))
@click.option("--rounds", default=60, show_default=True, type=click.IntRange(3))
@click.option("--json", "as_json", is_flag=True, help="Write the rows as JSON.")
def main(jobs: int, rounds: int, as_json: bool) -> None:
    """Measure each page with few and with many jobs."""
    with ExitStack() as stack:
        few, many = (stack.enter_context(_site(count)) for count in (FEW, jobs))
        rows = [_measure(page, few, many, rounds) for page in PAGES]
    if as_json:
        click.echo(json.dumps([{**row._asdict(), "ratio": row.ratio} for row in rows]))
        return
    click.echo(f"| page | trips | {FEW} jobs | {jobs:,} jobs | ratio |\n|---|---|---|---|---|")
    for row in rows:
        times = f"{row.few:.1f} ms | {row.many:.1f} ms | {row.ratio:.2f}"
        click.echo(f"| `{row.page}` | {row.trips} | {times} |")


class Site:
    """A web app with its dashboard, on a server with so many jobs."""

    def __init__(self, url: str) -> None:
        app = Flask("shop")
        app.config.update(
            CELERY_BROKER_URL=url, CELERY_RESULT_BACKEND=url, FLASKIQ_ENV="development",
            FLASKIQ_WORKERS=[], FLASKIQ_DASHBOARD="/jobs", CELERY={"beat_schedule": CRON},
        )  # fmt: skip
        self._flaskiq = Flaskiq(app)
        self._client = app.test_client()

    def seconds(self, page: str) -> float:
        """Load a page; return how long that took."""
        began = time.perf_counter()
        answer = self._client.get(f"/jobs{page}")
        took = time.perf_counter() - began
        assert answer.status_code == 200, answer.text
        return took

    def trips(self, page: str) -> int:
        """Load a page; return how often Redis was written to."""
        write = Connection.send_packed_command
        with patch.object(Connection, "send_packed_command", autospec=True) as send:
            send.side_effect = write
            self.seconds(page)
        return int(send.call_count)


@contextmanager
def _site(jobs: int) -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        client: Any = redis.Redis.from_url(server.url)
        with client:
            _fill(client, jobs)
            _add_metrics(client)
            _add_processes(client)
            _add_groups(client)
        yield Site(server.url)


def _measure(page: str, few: Site, many: Site, rounds: int) -> Row:
    for _ in range(WARM_UP):
        few.seconds(page), many.seconds(page)
    times: dict[Site, list[float]] = {few: [], many: []}
    for _ in range(rounds):
        for site, found in times.items():
            found.append(site.seconds(page))
    medians = (1000 * statistics.median(found) for found in times.values())
    return Row(page, many.trips(page), *medians)


def _fill(client: Any, jobs: int) -> None:
    keys = Keys()
    for name, share in SHARES.items():
        fill = _put_ready if name == "default" else _put_in_set
        for chunk in _chunks(_jobs(), max(FEW, round(jobs * share))):
            with client.pipeline(transaction=False) as pipe:
                fill(pipe, keys, name, chunk)
                pipe.execute()


def _put_ready(pipe: Any, keys: Keys, queue: str, jobs: list[tuple[str, bytes]]) -> None:
    pipe.lpush(keys.ready(queue), *(message for _, message in jobs))


def _put_in_set(pipe: Any, keys: Keys, name: str, jobs: list[tuple[str, bytes]]) -> None:
    now, failure = time.time(), Failure.of(ValueError("no answer"), 1, traceback="Traceback " * 40)
    places = {job_id: Placed("default", "default", message).pack() for job_id, message in jobs}
    pipe.zadd(keys[name], {job_id: now + 10 * n for n, job_id in enumerate(places)})
    pipe.hset(keys.jobs(name), mapping=places)
    if name != "scheduled":
        pipe.hset(keys.failures(name), mapping=dict.fromkeys(places, failure.pack()))


def _jobs() -> Iterator[tuple[str, bytes]]:
    """Jobs as they lie in Redis, each of about 500 bytes."""
    while True:
        job_id = str(uuid.uuid4())
        args = [[job_id, {"order": 4711, "customer": "Anaïs Lefèvre", "city": "Lyon"}], {}, {}]
        headers = {
            "id": job_id, "task": f"shop.Worker{hash(job_id) % 20}", "root_id": job_id,
            "flaskiq_enqueued_at": time.time(), "lang": "py", "retries": 1,
        }  # fmt: skip
        properties = {"correlation_id": job_id, "delivery_info": {"routing_key": "default"}}
        message = {"body": json.dumps(args), "headers": headers, "properties": properties}
        yield job_id, json.dumps(message).encode()


def _chunks(jobs: Iterator[tuple[str, bytes]], count: int) -> Iterator[list[tuple[str, bytes]]]:
    for start in range(0, count, CHUNK):
        yield list(islice(jobs, min(CHUNK, count - start)))


def _add_metrics(client: Any) -> None:
    """An hour of 20 Workers, whose run times are in ten buckets each."""
    keys, minute = Keys(), time.time() // 60 * 60
    counts = {field("queue", "default", str(size)): 40 for size in range(3, 13)}
    for number in range(20):
        name = f"shop.Worker{number}"
        counts |= {field("worker", name, str(size)): 2 for size in range(3, 13)}
        counts |= {field("worker", name, "done"): 19, field("worker", name, "retried"): 1}
        counts |= {field("worker", name, "us"): 200_000}
    counts |= {field("queue", "default", "done"): 380, field("queue", "default", "retried"): 20}
    for ago in range(60):
        at = time.gmtime(minute - 60 * ago)
        client.hset(keys.minute(time.strftime("%Y-%m-%dT%H:%M", at)), mapping=counts)
    client.hset(keys.counters, mapping={"done": 1_000_000, "retried": 50_000})


def _add_processes(client: Any) -> None:
    """Eight processes with two running jobs each."""
    keys, now = Keys(), time.time()
    for number in range(8):
        process = f"host:{number}:abcdef"
        facts = {
            "app": "shop", "node": "worker1@host", "host": "host", "pid": number, "pool": "flaskiq",
            "concurrency": 2, "started_at": now, "rss": 60_000_000, "cpu": 3.0, "beat_at": now,
            "queues": json.dumps(["critical", "default", "low"]), "quiet": 0,
        }  # fmt: skip
        client.sadd(keys.processes, process)
        client.hset(keys.facts(process), mapping=facts)
        for _ in range(2):
            running = json.dumps(["shop.Worker1", "default", 1, now, 1])
            client.hset(keys.running(process), str(uuid.uuid4()), running)


def _add_groups(client: Any) -> None:
    """A hundred batches and a hundred chords."""
    keys, now = Keys(), time.time()
    for _ in range(100):
        batch_id, chord_id = str(uuid.uuid4()), str(uuid.uuid4())
        counts = {"total": 60, "fresh": 30, "failed": 1, "dead": 0, "done": 29, "skipped": 0}
        client.zadd(keys.batches, {batch_id: now})
        client.hset(keys.batch(batch_id), mapping={**counts, "created_at": now})
        facts = {"body": '{"task": "shop.Worker1"}', "size": 20, "ended": 7, "changed_at": now}
        client.zadd(keys.chords, {chord_id: now})
        client.hset(keys.chord(chord_id), mapping={**facts, "created_at": now})


if __name__ == "__main__":
    main()
