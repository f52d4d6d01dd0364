"""Real workers: what they and the exporter tell agrees with the jobs that ran."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from types import ModuleType

import pytest
from processes import Process, Project
from redis import Redis
from scrape import Scrape, Told, over_http
from servers import Server, free_port
from waiting import until

from flaskiq.metrics.metric import WORKER

pytestmark = pytest.mark.slow

ATTEMPTS = {
    ("metrics_app.Add", "default", "done"): 40,
    ("metrics_app.Ends", "low", "done"): 3,
    ("metrics_app.Ends", "low", "retried"): 3,
    ("metrics_app.Ends", "low", "discarded"): 2,
    ("metrics_app.Dies", "default", "dead"): 4,
    ("metrics_app.Snoozes", "default", "snoozed"): 1,
    ("metrics_app.Snoozes", "default", "done"): 1,
}
"""What :func:`enqueue` comes to: Worker, queue and outcome -> how many attempts."""


def enqueue(jobs: ModuleType) -> None:
    jobs.Add.perform_bulk([(n, n) for n in range(40)])
    jobs.Ends.perform_bulk([("retried",)] * 3 + [("discarded",)] * 2)
    jobs.Dies.perform_bulk([()] * 4)
    jobs.Snoozes.perform_async()


def attempts(told: Told, name: str) -> dict[tuple[str, str, str], float]:
    return {
        (each.labels["worker"], each.labels["queue"], each.labels["outcome"]): each.value
        for each in told.samples
        if each.name == name
    }


def fallen(before: Told, after: Told) -> dict[tuple[str, ...], float]:
    """The counters that have fallen, or are gone."""
    now = after.counters()
    return {name: value for name, value in before.counters().items() if now.get(name, -1) < value}


@pytest.mark.parametrize(
    "pool", ["flaskiq", "prefork", pytest.param("threads", marks=pytest.mark.slow)]
)
def test_counts_agree_with_the_jobs_that_ran(
    pool: str,
    jobs: ModuleType,
    start: Callable[..., Process],
    cluster: Scrape,
    own_server: Server,
) -> None:
    """Slow with threads: 5 s, and most of it is the same as with the others."""
    port = free_port()
    start(f"--pool={pool}", "-c", "2", METRICS_PORT=str(port), METRICS_ADDRESS="127.0.0.1")
    worker = over_http(port)
    enqueue(jobs)
    until(lambda: attempts(cluster(), "flaskiq_jobs_total") == ATTEMPTS, f"{cluster().counters()}")
    until(
        lambda: attempts(worker(), "flaskiq_worker_jobs_total") == ATTEMPTS,
        f"{worker().counters()}",
    )
    told, own = cluster(), worker()
    ran = sum(ATTEMPTS.values())
    assert told.total("flaskiq_job_run_seconds_count", worker="metrics_app.Add") == 40
    assert told.total("flaskiq_job_wait_seconds_count") == ran
    assert told.total("flaskiq_job_wait_seconds_count", queue="low") == 8
    assert told.get("flaskiq_set_size", set="dead") == 4
    assert told.get("flaskiq_jobs_in_flight") == told.get("flaskiq_jobs_busy") == 0
    assert told.get("flaskiq_concurrency") == 2
    assert own.get("flaskiq_worker_concurrency") == 2
    assert own.get("flaskiq_worker_busy") == 0
    assert own.total("process_resident_memory_bytes") > 0
    for metric in WORKER:
        assert (metric.name.removesuffix("_total") in own.families) == (
            pool == "flaskiq" or "children" not in metric.name
        )

    job = jobs.Holds.perform_async()
    until(lambda: worker().get("flaskiq_worker_busy") == 1, "it is busy")
    until(lambda: cluster().get("flaskiq_jobs_busy") == 1, "everybody knows")
    assert cluster().get("flaskiq_jobs_in_flight") == 1
    failed = worker().total("flaskiq_redis_errors_total")
    own_server.kill()
    try:
        until(lambda: worker().total("flaskiq_redis_errors_total") > failed, "it misses Redis")
        assert not fallen(own, worker())
    finally:
        own_server.start()
    del job


@pytest.mark.slow
def test_a_child_that_is_killed_lets_no_counter_fall_nor_does_a_restart(
    jobs: ModuleType,
    start: Callable[..., Process],
    folder: Project,
    cluster: Scrape,
    store: Redis,
) -> None:
    """Slow: 10 s, for two workers, two exporters and four children that are killed."""
    port, port_of_exporter = free_port(), free_port()
    env = {"METRICS_PORT": str(port), "METRICS_ADDRESS": "127.0.0.1"}
    node = start("-c", "2", **env)
    worker = over_http(port)
    jobs.Add.perform_bulk([(n, n) for n in range(40)])
    until(lambda: cluster().total("flaskiq_jobs_total") == 40, "they are counted")
    until(lambda: worker().total("flaskiq_worker_jobs_total") == 40, "by the worker, too")
    before, own = cluster(), worker()

    held = jobs.Holds.perform_async()
    pid = int(store.blpop(["held by"], timeout=20)[1])
    os.kill(pid, signal.SIGKILL)
    assert int(store.blpop(["held by"], timeout=20)[1]) != pid, "another child runs it"
    store.rpush("go", "on")
    held.get(timeout=20)
    jobs.Add.perform_bulk([(n, n) for n in range(10)])
    until(lambda: cluster().total("flaskiq_jobs_total") == 51, "each once")
    until(lambda: worker().total("flaskiq_worker_jobs_total") == 51, f"{worker().counters()}")
    assert cluster().get("flaskiq_jobs_reaped_total") == 1
    assert worker().get("flaskiq_worker_children_ended_total", how="crashed") == 1
    until(lambda: worker().get("flaskiq_worker_children") == 2, "there is another")
    assert not fallen(before, cluster())
    assert not fallen(own, worker())

    jobs.Kills.perform_async()
    until(lambda: cluster().get("flaskiq_jobs_poisoned_total") == 1, "three processes have died")
    assert cluster().get("flaskiq_jobs_reaped_total") == 4
    until(
        lambda: worker().get("flaskiq_worker_children_ended_total", how="crashed") == 4,
        f"{worker().counters()}",
    )
    before = cluster()
    node.send(signal.SIGTERM)
    assert node.wait() == 0

    exporter = over_http(port_of_exporter)

    def run_one_more(ran: int) -> None:
        jobs.Add.perform_async(1, 1)
        name = "metrics_app.Add"
        until(lambda: exporter().total("flaskiq_jobs_total", worker=name) == ran, f"{ran} ran")

    for ran in (51, 52):
        program = folder.start("flaskiq", "metrics", f"--port={port_of_exporter}")
        program.wait_for("Metrics at ")
        assert not fallen(before, exporter())
        if ran == 51:
            start("-c", "2", **env)
        run_one_more(ran)
        before = exporter()
        program.send(signal.SIGTERM)
        assert program.wait() == 0, program.output
    assert worker().total("flaskiq_worker_jobs_total") <= 2, "a worker begins anew"


def test_a_reaper_counts_what_it_gives_to_others(
    jobs: ModuleType, start: Callable[..., Process], cluster: Scrape, store: Redis
) -> None:
    """In another pool than ours nobody settles a worker that is killed, but the reapers."""
    lost = start("--pool=solo", name="lost")
    held = jobs.Holds.perform_async()
    store.blpop(["held by"], timeout=20)
    lost.send(signal.SIGKILL)
    start("--pool=solo", name="found")
    store.blpop(["held by"], timeout=20)
    store.rpush("go", "on")
    held.get(timeout=20)
    told = cluster()
    assert told.get("flaskiq_jobs_reaped_total") == 1
    assert told.get("flaskiq_jobs_poisoned_total") == 0


def test_a_port_that_is_taken_is_a_warning(
    jobs: ModuleType, start: Callable[..., Process], folder: Project
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        env = {"METRICS_PORT": port, "METRICS_ADDRESS": "127.0.0.1"}
        worker = start("--pool=solo", **env)
        assert f"This worker has no metrics on port {port}" in worker.output
        assert jobs.Add.perform_async(1, 2).get(timeout=20) == 3
        exporter = folder.start("flaskiq", "metrics", **env)
        assert exporter.wait() == 1
        assert f"port {port}: " in exporter.output
        assert "Choose another" in exporter.output
        assert "Traceback" not in exporter.output
