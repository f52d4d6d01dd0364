"""Whether somebody here can run the jobs that wait: queued names against registered tasks."""

from __future__ import annotations

import json
from base64 import b64decode
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from flaskiq.doctor.finding import Finding, ok, problem, warning
from flaskiq.doctor.patient import Patient
from flaskiq.errors import did_you_mean
from flaskiq.message import read_envelope

LOOKED_AT = 1_000
"""Jobs of each list and of each set: a look must not burden a server with a million of them."""

SHOWN = 20
"""Names; where there are more, one finding counts the rest."""


class Waiting(NamedTuple):
    """A job that waits; ``name`` is None if nobody can read it."""

    place: str
    name: str | None


def examine(patient: Patient) -> Iterator[Finding]:
    """Read the names in the ready lists and in the sets, and look each up."""
    seen: dict[str | None, Counter[str]] = defaultdict(Counter)
    jobs = 0
    for job in _waiting(patient):
        jobs += 1
        if job.name is None or not _is_known(patient, job.name):
            seen[job.name][job.place] += 1
    for name, places in islice(seen.items(), SHOWN):
        yield _strange(patient, name, places)
    if len(seen) > SHOWN:
        yield problem(
            f"{len(seen) - SHOWN} more names are unknown",
            "A worker that fetches such a job buries it in the dead set.",
            "Begin with those above: most often a deployment is missing, or runs an older version.",
        )
    if not seen:
        yield ok(f"each of {jobs:,} jobs that wait has a task here" if jobs else "no job waits")


def _is_known(patient: Patient, name: str) -> bool:
    return name in patient.tasks or name in patient.celery.tasks


def _waiting(patient: Patient) -> Iterator[Waiting]:
    store, queues = patient.store, patient.queues
    for queue in queues:
        for key in store.keys.lists(queue):
            for raw in store.client.lrange(key, -LOOKED_AT, -1):
                yield Waiting(f"queue {queue}", _name(raw))
    for jobs in (store.scheduled, store.retry, store.dead):
        for entry in islice(jobs, LOOKED_AT):
            # Other apps may share the database; their queues, and so their jobs, are not ours.
            if entry.placed.queue in queues:
                yield Waiting(f"the {jobs.name} set", _name(entry.placed.message))


def _name(raw: bytes) -> str | None:
    try:
        envelope = read_envelope(raw)
        name = envelope["headers"].get("task") or _name_of_old(envelope)
    except (ValueError, AttributeError):
        return None
    return name if isinstance(name, str) else None


def _name_of_old(envelope: dict[str, Any]) -> Any:
    """In protocol 1, which old producers send, the name is in the body."""
    body = envelope["body"]
    if envelope["properties"].get("body_encoding") == "base64":
        body = b64decode(body)
    return json.loads(body).get("task")


def _strange(patient: Patient, name: str | None, places: Counter[str]) -> Finding:
    where = " and ".join(f"{count:,} in {place}" for place, count in sorted(places.items()))
    find = warning if set(places) == {"the dead set"} else problem
    if name is None:
        return find(
            f"{where} cannot be read",
            "Such a message is no job of Celery. A worker that fetches it buries it in the dead "
            "set.",
            "Find out who writes into the queue, and let it send JSON (task_serializer = 'json').",
        )
    return find(
        f"{where}: nothing here is called {name!r}{did_you_mean(name, patient.tasks)}",
        "A worker of this app that fetches such a job buries it in the dead set.",
        f"Deploy the code that has it; after a rename, give the Worker its old name ({name = !r}). "
        "Then run what is dead again, or delete the jobs.",
    )
