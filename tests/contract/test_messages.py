"""Messages of others, messages that nobody can run, and jobs that end their process."""

from __future__ import annotations

import json
from types import ModuleType

import pytest
from celery.exceptions import NotRegistered, WorkerLostError
from contract_node import SLOTS, Node, Records
from processes import Project
from redis import Redis
from waiting import until

from flaskiq.store.store import Store


def test_the_job_of_a_stock_client(node: Node, project: Project) -> None:
    """In a process that never loads Flaskiq."""
    printed = project.python(
        "import os, sys\n"
        "from celery import Celery, chain, chord\n"
        "app = Celery('stock', broker=os.environ['CELERY_BROKER_URL'],"
        " backend=os.environ['CELERY_RESULT_BACKEND'])\n"
        "app.conf.task_default_queue = 'default'\n"
        "add = lambda *args: app.signature('contract_app.tasks.add', args)\n"
        "total = app.signature('contract_app.tasks.total')\n"
        "results = [\n"
        "    app.send_task('contract_app.tasks.add', (1, 2)),\n"
        "    app.send_task('contract_app.workers.Add', (1, 2)),\n"
        "    chain(add(1, 2), add(10)).delay(),\n"
        "    chord([add(1, 1), add(2, 2)], total).delay(),\n"
        "]\n"
        "print([result.get(timeout=20) for result in results])\n"
        "assert not [name for name in sys.modules if name.startswith('flaskiq')]\n"
    )
    assert printed == "[3, [3, 'contract_app', 1], 13, 6]"


def test_an_unknown_task_is_dead(contract: ModuleType, node: Node, jobs: Store) -> None:
    result = contract.celery_app.send_task("contract_app.nowhere", (1,), queue="default")
    entry = until(lambda: jobs.dead.find(result.id), "it is dead")
    assert "no Worker and no task is called 'contract_app.nowhere'" in entry.failure.message
    with pytest.raises(NotRegistered):
        result.get(timeout=20)
    assert contract.tasks.add.delay(1, 2).get(timeout=20) == 3


@pytest.mark.parametrize("body", ["{", "[1]", '"W10="'])
def test_a_broken_body_is_dead(
    contract: ModuleType, node: Node, records: Records, store: Redis, jobs: Store, body: str
) -> None:
    with node.full():
        result = contract.tasks.ran.delay()
        envelope = json.loads(until(lambda: store.rpop("default"), "it waits"))
        assert envelope["headers"]["id"] == result.id
        envelope["properties"].pop("body_encoding", None)
        store.lpush("default", json.dumps({**envelope, "body": body}))
    until(lambda: jobs.dead.find(result.id), "it is dead")
    records.wait_until_gone(result.id)
    assert records.notes(result.id) == []
    assert contract.tasks.add.delay(1, 2).get(timeout=20) == 3


def test_pickle_is_refused(contract: ModuleType, node: Node, records: Records, jobs: Store) -> None:
    result = contract.tasks.ran.apply_async(serializer="pickle")
    entry = until(lambda: jobs.dead.find(result.id), "it is dead")
    assert "Refusing to deserialize" in entry.failure.message
    assert records.notes(result.id) == []


def test_jobs_that_kill_their_process(
    contract: ModuleType, node: Node, records: Records, jobs: Store
) -> None:
    """One that was acknowledged early runs at most once, any other three times."""
    early, late = contract.tasks.kills_itself_early.delay(), contract.tasks.kills_itself.delay()
    with pytest.raises(WorkerLostError):
        early.get(timeout=30)
    with pytest.raises(Exception, match="3 processes died while it was in flight"):
        late.get(timeout=40)
    assert (early.state, late.state) == ("FAILURE", "FAILURE")
    until(lambda: jobs.dead.find(late.id), "it is dead")
    with node.full():  # both slots work
        pass
    until(lambda: len(node.processes()) == SLOTS, "all processes are there")
    assert contract.tasks.add.delay(1, 2).get(timeout=20) == 3
    pids = [*records.notes(early.id), *records.notes(late.id)]
    assert [len(records.notes(each.id)) for each in (early, late)] == [1, 3]
    assert len(pids) == len(set(pids))
    assert not set(pids) & set(node.processes())
