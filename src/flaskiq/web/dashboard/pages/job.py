"""Job: everything that is known of one job, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import abort

from flaskiq import api
from flaskiq.api import JobRecord, State
from flaskiq.api.find import finding, meta_of
from flaskiq.message import (
    BATCH_HEADER,
    CRON_HEADER,
    DEATHS_HEADER,
    ENQUEUED_AT_HEADER,
    PART_HEADER,
)
from flaskiq.runtime.context import PROGRESS
from flaskiq.store.reading import Reading
from flaskiq.web.dashboard.acts import Done, asked
from flaskiq.web.dashboard.page import Content, Page
from flaskiq.web.dashboard.pages.sets import KINDS
from flaskiq.web.dashboard.redaction import ShownJob, redacted

HERE = {
    State.QUEUED: (("delete", "Delete"), ("cancel", "Cancel")),
    State.RUNNING: (("cancel", "Cancel"),),
}
"""What can be done with a job that is in no set: act and title."""

WAY = {
    State.SCHEDULED: ("scheduled", "queued", "running", "done"),
    State.RETRYING: ("queued", "running", "retrying", "running", "done"),
    State.DEAD: ("queued", "running", "dead"),
    State.CANCELLED: ("queued", "cancelled"),
    State.DISCARDED: ("queued", "running", "discarded"),
}
"""The states on a job's way, where it is not the usual one."""

USUAL = ("queued", "running", "done")


def _read(job_id: str) -> Reading[Content]:
    found = yield from finding(job_id)
    if found.state is State.UNKNOWN:
        abort(404, f"Nobody knows a job {job_id}.")
    if found.state is State.QUEUED_OR_UNKNOWN:
        text = "its queues are too long to look at every job"
        abort(404, f"Nobody has seen a job {job_id}; {text}.")
    job, meta = ShownJob(found), meta_of(job_id)
    return {
        "job": job,
        "way": _way(found.state),
        "acts": _acts(found.state),
        "progress": meta["result"] if meta["status"] == PROGRESS else None,
        "result": _result(job, meta),
        "facts": _facts(found),
    }


def _way(state: State) -> list[dict[str, Any]]:
    way = WAY.get(state, USUAL)
    here = len(way) - 1 - way[::-1].index(str(state)) if str(state) in way else -1
    return [
        {"state": each, "is_past": place < here, "is_here": place == here}
        for place, each in enumerate(way)
    ]


def _result(job: ShownJob, meta: dict[str, Any]) -> Any:
    return job.show("result", redacted(meta["result"])) if meta["status"] == "SUCCESS" else None


def _facts(job: JobRecord) -> dict[str, Any]:
    headers = job.headers
    part = headers.get(PART_HEADER)
    known = {
        "Queue": job.queue,
        "Attempt": job.attempt,
        "Process": job.process,
        "Tenant": ", ".join(f"{name}={value}" for name, value in (job.tenant or {}).items()),
        "Batch": headers.get(BATCH_HEADER),
        "Chord": part[0] if isinstance(part, list) and part else None,
        "Cron entry": headers.get(CRON_HEADER),
        "Ready": headers.get(ENQUEUED_AT_HEADER),
        "Processes that died with it": headers.get(DEATHS_HEADER),
        "Parent": headers.get("parent_id"),
        "Root": headers.get("root_id"),
    }
    # A job that is no child of another is its own root, and after a retry its own parent.
    return {name: value for name, value in known.items() if value not in (None, "", job.id)}


def _acts(state: State) -> Sequence[tuple[str, str]]:
    return KINDS[state].acts if state in KINDS else HERE.get(state, ())


def _act(job_id: str) -> Done:
    act, found = asked("run", "retry", "kill", "delete", "cancel"), api.find(job_id)
    if act not in dict(_acts(found.state)):
        abort(409, f"The job is {found.state} by now.")
    if act == "cancel":
        api.cancel(job_id)
        done = True
    elif found.state is State.QUEUED:
        done = api.Queue(str(found.queue)).delete(job_id)
    else:
        kind = KINDS[found.state]
        done = getattr(kind.open(), kind.verb(act).one)(job_id)
    return Done(act, f"job {job_id}", int(done))


PAGES = (Page(name="job", path="/job/<path:job_id>", read=_read, act=_act),)
