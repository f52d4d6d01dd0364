"""Whether somebody consumes the queues that have jobs, or will get some."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flaskiq.doctor.finding import Finding, ok, problem, warning
from flaskiq.doctor.patient import Patient
from flaskiq.message import read_envelope

KEYS_LOOKED_AT = 100_000
"""Keys of the database among which forgotten queues are searched for."""

AT_ONCE = 1_000
"""Keys that one command looks at."""

START = "flaskiq worker start"

SHOWN = 3
"""Tasks of a queue that are named."""


class Queue(NamedTuple):
    """A queue, how many jobs wait in it, and which tasks send theirs to it."""

    name: str
    size: int
    tasks: list[str]

    @property
    def is_needed(self) -> bool:
        """Whether somebody has to consume it."""
        return bool(self.size or self.tasks)


def examine(patient: Patient) -> Iterator[Finding]:
    """Ask the workers what they consume, and hold it against what there is."""
    consumed = _consumed(patient)
    needed = [queue for queue in (*_own(patient), *_forgotten(patient)) if queue.is_needed]
    unconsumed = [queue for queue in needed if queue.name not in consumed]
    yield from _paused(patient)
    if not consumed:
        yield _nobody(patient, unconsumed)
    elif unconsumed:
        yield from (_unconsumed(patient, queue) for queue in unconsumed)
    else:
        yield ok(f"workers consume {', '.join(sorted(consumed))}")


def _consumed(patient: Patient) -> set[str]:
    """What the heartbeats of our workers tell, and what stock workers, which have none, answer."""
    inspect = patient.celery.control.inspect(timeout=patient.timeout)
    answers: Mapping[str, Any] = inspect.active_queues() or {}
    answered = {queue["name"] for queues in answers.values() for queue in queues}
    told = patient.store.processes.facts().values()
    return answered.union(*(json.loads(facts.get("queues", "[]")) for facts in told))


def _own(patient: Patient) -> Iterator[Queue]:
    sizes = patient.store.ready.sizes(list(patient.queues))
    for name, tasks in patient.queues.items():
        yield Queue(name, sizes[name], tasks)


def _forgotten(patient: Patient) -> Iterator[Queue]:
    """Find jobs in queues that nobody has configured, such as that of ``set(queue="typo")``."""
    store = patient.store
    found: dict[str, None] = {}
    for key in _lists(patient):
        name = key.removeprefix(store.keys.prefix).partition(store.keys.separator)[0]
        if name not in patient.queues and _is_job(store.client.lindex(key, -1)):
            found[name] = None
    for name, size in store.ready.sizes(list(found)).items():
        yield Queue(name, size, [])


def _lists(patient: Patient) -> Iterator[str]:
    """The lists below the prefix; the server looks at so many keys and no more."""
    store, cursor = patient.store, 0
    for _ in range(KEYS_LOOKED_AT // AT_ONCE):
        cursor, keys = store.client.scan(cursor, count=AT_ONCE, _type="list")
        names = (key.decode(errors="replace") for key in keys)
        yield from (name for name in names if name.startswith(store.keys.prefix))
        if not cursor:
            return


def _is_job(raw: bytes | None) -> bool:
    """Whether it is a message of a task: there are lists of other things, and of other programs."""
    try:
        return raw is not None and "task" in read_envelope(raw)["headers"]
    except ValueError:
        return False


def _paused(patient: Patient) -> Iterator[Finding]:
    paused = sorted(patient.store.ready.paused())
    for name, size in patient.store.ready.sizes(paused).items():
        yield warning(
            f"queue {name!r} is paused, and {_jobs(size)} in it",
            "Nobody fetches from it until somebody ends the pause; it outlasts every restart.",
            f"flaskiq queues unpause {name!r}",
        )


def _nobody(patient: Patient, queues: list[Queue]) -> Finding:
    quiet = [name for name, facts in patient.store.processes.facts().items() if facts]
    who = f"no worker fetches: {', '.join(quiet)} is quiet" if quiet else "no worker runs"
    full = [f"{queue.size:,} in {queue.name!r}" for queue in queues if queue.size]
    if full:
        return problem(f"{who}, and jobs wait: {', '.join(full)}", "Nobody runs them.", START)
    return warning(who, "A job that is enqueued now waits until one does.", START)


def _unconsumed(patient: Patient, queue: Queue) -> Finding:
    is_ours = queue.name in patient.queues
    why = "Nobody runs them." if queue.size else "The first job that is enqueued waits for ever."
    if queue.tasks:
        why = f"{why} It is the queue of {_some(queue.tasks)}."
    if not is_ours:
        why = (
            f"{why} The queue is not configured here: a misspelt set(queue=...), or another app's."
        )
    find = problem if queue.size and is_ours else warning
    return find(
        f"no worker consumes queue {queue.name!r}, and {_jobs(queue.size)} in it",
        why,
        f"Start one that does: {START} --queue {queue.name!r}; a worker without --queue "
        f"consumes all queues of FLASKIQ_QUEUES{'' if is_ours else ': add it there'}.",
    )


def _jobs(size: int) -> str:
    return {0: "no job waits", 1: "1 job waits"}.get(size, f"{size:,} jobs wait")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
