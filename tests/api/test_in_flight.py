"""Jobs that processes have fetched."""

from __future__ import annotations

import time
from types import ModuleType

import pytest
from fleet import StartWorker
from waiting import until

from flaskiq import api
from flaskiq.api import Filter
from flaskiq.store.place import Placed
from flaskiq.store.store import Store


def test_what_runs(sample: ModuleType, start_worker: StartWorker) -> None:
    start_worker()
    begun = time.time()
    job = sample.Patient.perform_async()
    (found,) = until(
        lambda: [each for each in api.InFlight() if each.state == api.State.RUNNING], "it runs"
    )
    assert (found.id, found.worker, found.queue) == (job.id, "sample.Patient", "default")
    assert found.at == pytest.approx(begun, abs=20)
    assert found.process in {process.identity for process in api.ProcessSet()}
    assert api.InFlight().cancel_all(Filter(queue="low")) == 0
    assert api.InFlight().cancel_all() == 1
    assert job.get(timeout=20) == "cancelled"
    until(lambda: len(api.InFlight()) == 0, "it is acknowledged")


def test_what_was_fetched_ahead_or_by_a_process_that_is_lost(
    sample: ModuleType, jobs: Store
) -> None:
    ids = []
    for process in ("lives", "lost"):
        ids.append(sample.Add.perform_async(1, 2).id)
        raw = jobs.client.rpop("default")
        jobs.processes.register(process, 60)
        jobs.client.hset(jobs.keys.inflight(process), "1", Placed("default", "default", raw).pack())
    jobs.processes.deregister("lost")
    found = {job.id: (job.process, job.state) for job in api.InFlight()}
    assert found == {ids[0]: ("lives", "queued"), ids[1]: ("lost", "queued")}
    assert [job.id for job in api.InFlight().matching(Filter(worker="Nobody"))] == []
    assert api.InFlight().cancel_all() == 2
    assert all(jobs.is_cancelled(job_id) for job_id in ids)
