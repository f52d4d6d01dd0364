"""Our client fills the queues, a stock worker empties them, alone or beside ours."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from fleet import LIB
from processes import Process, Project
from redis import Redis

from flaskiq.message import ATTEMPTS_HEADER
from flaskiq.store.store import Store


def start_stock(project: Project, pool: str) -> Process:
    return project.worker(
        "stock:app", f"--pool={pool}", "--concurrency=2", "--queues=critical,default,low",
        "--hostname=stock@test", "--without-mingle", PYTHONPATH=LIB,
    )  # fmt: skip


def test_it_runs_our_jobs(sample: ModuleType, project: Project, pool: str) -> None:
    stock = start_stock(project, pool)
    assert sample.Add.perform_async(1, 2).get(timeout=20) == 3
    assert sample.Add.set(queue="critical").perform_async(3, 4).get(timeout=20) == 7
    bulk = sample.Add.perform_bulk([(n, n) for n in range(50)])
    assert [each.get(timeout=20) for each in bulk] == [2 * n for n in range(50)]
    assert sample.plain.apply_async(("x",), priority=6).get(timeout=20) == ["x", "stock", []]
    assert stock.is_running


def test_it_runs_a_job_that_tells_of_its_attempts(
    sample: ModuleType, project: Project, pool: str
) -> None:
    start_stock(project, pool)
    headers = {ATTEMPTS_HEADER: [[1, 1.0, 2.0, 1.0, "retried", "OSError: no luck"]]}
    job = sample.plain.apply_async(("x",), headers=headers)
    assert job.get(timeout=20) == ["x", "stock", []]


def test_it_finds_due_jobs_in_their_queue_while_one_of_our_workers_lives(
    sample: ModuleType, project: Project, start_worker: Any, jobs: Store, store: Redis
) -> None:
    start_stock(project, "threads")
    due = sample.plain.apply_async(("due",), countdown=1)
    with pytest.raises(Exception, match="timed out"):
        due.get(timeout=3)
    assert jobs.scheduled.find(due.id) is not None
    ours = start_worker("--queues=critical")
    assert due.get(timeout=20) == ["due", "stock", []]
    assert ours.is_running


def test_both_share_the_queues(
    sample: ModuleType, project: Project, start_worker: Any, pool: str
) -> None:
    start_stock(project, pool)
    start_worker()
    results = [sample.plain.delay(str(n)) for n in range(300)]
    answers = [result.get(timeout=40) for result in results]
    assert [word for word, *_ in answers] == [str(n) for n in range(300)]
    assert {who for _, who, _ in answers} == {"stock", "sample"}
