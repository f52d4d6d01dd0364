"""What a worker has logged, and the jobs that it was given."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from processes import Process
from redis import Redis
from waiting import until

ENDS: dict[str, list[str]] = {
    "Add": ["done"],
    "Secret": ["done"],
    "Bad": ["done"],
    "For": ["done"],
    "Fails": ["retried", "dead"],
    "Snoozes": ["snoozed", "done"],
    "Discards": ["discarded"],
    "ignored": ["discarded"],
    "rejected": ["discarded"],
    "unknown": ["dead"],
    "expired": ["cancelled"],
}
"""What becomes of each job, in every pool: one line for each."""

ENDS_IN_PROCESSES: dict[str, list[str]] = {
    "rejected_by_a_hook": ["discarded"],
    "Hangs": ["dead"],
    "Kills": ["requeued", "requeued", "dead"],
    "kills_early": ["dead"],
    "terminated": ["cancelled"],
}
"""The same of jobs that end their process, or do not end by themselves."""

POOLS = {
    "flaskiq": {**ENDS, **ENDS_IN_PROCESSES},
    "prefork": {**ENDS, **ENDS_IN_PROCESSES},
    "threads": ENDS,
    "solo": ENDS,
}
"""What is run in each pool."""

PASSWORD = "s3cret"
"""That of the server; nobody may read it."""

CARD = "4111-1111-1111-1111"
"""An argument that nobody may read."""

ARGUMENTS: dict[str, tuple[Any, ...]] = {"Add": (1, 2), "Secret": (CARD,)}


@dataclass
class Logged:
    """The worker, the jobs by what they are called in :data:`ENDS`, and its lines."""

    app: ModuleType
    process: Process
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All that the worker has written, but the warning of Celery that it is root."""
        return self.process.output

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its lines, which are JSON; fail if one is not."""
        return [json.loads(line) for line in self.text.splitlines()]

    def told(self, job: str) -> list[dict[str, Any]]:
        """Return the lines about the outcomes of a job."""
        lines = self.text.splitlines()
        mine = [json.loads(line) for line in lines if self.ids[job] in line]
        return [line for line in mine if "outcome" in line]

    def run(self, ends: dict[str, list[str]]) -> None:
        """Enqueue jobs, and wait until all is told of them.

        Those that end their process come last: it would take along the lines that wait in it.
        """
        with Redis.from_url(self.app.celery_app.conf.broker_url) as client:
            client.lpush("default", "{no JSON")
        harmless = [job for job in ends if job in ENDS]
        for jobs in (harmless, [job for job in ends if job not in ENDS]):
            for job in jobs:
                self.ids[job] = self._enqueue(job)
            if "terminated" in jobs:
                self._end(self.ids["terminated"])
            for job in jobs:
                self._await_end(job, len(ends[job]))

    def stop_with_a_job(self) -> None:
        """End the worker while it runs a job."""
        self.ids["interrupted"] = self.app.Holds.perform_async("interrupted").id
        self._await_start("interrupted")
        self.process.send(signal.SIGTERM)
        self.process.wait()

    def _enqueue(self, job: str) -> str:
        if job == "unknown":
            return str(self.app.celery_app.send_task("shop.Gone", (CARD,), queue="default").id)
        if job == "expired":
            options: dict[str, Any] = {"queue": "default", "expires": -1}
            task = self.app.celery_app.tasks["logs_app.Add"]
            return str(task.apply_async((1, 2), **options).id)
        if job == "terminated":
            return str(self.app.Holds.perform_async("terminated").id)
        if job == "For":
            return str(self.app.For.set(headers={"organization_id": "acme"}).perform_async().id)
        found = getattr(self.app, job)
        if isinstance(found, type):
            return str(found.perform_async(*ARGUMENTS.get(job, ())).id)
        return str(found.apply_async(queue="default").id)

    def _end(self, job_id: str) -> None:
        self._await_start("terminated")
        self.app.celery_app.control.revoke(job_id, terminate=True)

    def _await_end(self, job: str, outcomes: int) -> None:
        until(lambda: len(self.told(job)) >= outcomes, f"{job} ends\n{self.text[-5000:]}")

    def _await_start(self, key: str) -> None:
        with Redis.from_url(self.app.celery_app.conf.broker_url) as client:
            until(lambda: client.exists(f"holds:{key}"), f"{key} runs\n{self.text[-5000:]}")
