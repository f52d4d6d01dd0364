"""Job: everything that is known of one job, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, abort, render_template
from werkzeug.wrappers import Response

from flaskiq import api
from flaskiq.api import JobRecord, State
from flaskiq.api.find import meta_of
from flaskiq.message import BATCH_HEADER, CRON_HEADER, ENQUEUED_AT_HEADER, PART_HEADER
from flaskiq.runtime.context import PROGRESS
from flaskiq.web.dashboard.acts import asked, back
from flaskiq.web.dashboard.pages.sets import KINDS

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


def _show(job_id: str) -> tuple[str, int]:
    found, meta = api.find(job_id), meta_of(job_id)
    is_known = found.state not in (State.UNKNOWN, State.QUEUED_OR_UNKNOWN)
    way = WAY.get(found.state, USUAL)
    here = len(way) - 1 - way[::-1].index(str(found.state)) if str(found.state) in way else -1
    page = render_template(
        "flaskiq/job.html",
        job=found,
        is_known=is_known,
        way=[(state, place < here, place == here) for place, state in enumerate(way)],
        acts=_acts(found.state),
        progress=meta["result"] if meta["status"] == PROGRESS else None,
        result=_result(meta),
        facts=_facts(found),
    )
    return page, 200 if is_known else 404


def _result(meta: dict[str, Any]) -> Any:
    if meta["status"] == "SUCCESS":
        return meta["result"]
    return None


def _facts(job: JobRecord) -> list[tuple[str, Any]]:
    headers = job.headers
    chord = headers.get(PART_HEADER) or (None, None)
    known = [
        ("Queue", job.queue),
        ("Attempt", job.attempt),
        ("Process", job.process),
        ("Tenant", ", ".join(f"{k}={v}" for k, v in (job.tenant or {}).items())),
        ("Batch", headers.get(BATCH_HEADER)),
        ("Chord", chord[0]),
        ("Cron entry", headers.get(CRON_HEADER)),
        ("Enqueued", headers.get(ENQUEUED_AT_HEADER)),
        ("Parent", headers.get("parent_id")),
        ("Root", headers.get("root_id") if headers.get("root_id") != job.id else None),
    ]
    return [(name, value) for name, value in known if value not in (None, "")]


def _acts(state: State) -> Sequence[tuple[str, str]]:
    if state in KINDS:
        return [(verb.act, verb.title) for verb in KINDS[state].verbs]
    return HERE.get(state, ())


def _act(job_id: str) -> Response:
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
        verb = next(each for each in kind.verbs if each.act == act)
        done = getattr(kind.open(), verb.one)(job_id)
    return back(act, int(done), job_id)


def add(pages: Blueprint) -> None:
    """Add the routes."""
    pages.add_url_rule("/job/<job_id>", "job", _show)
    pages.add_url_rule("/job/<job_id>", "job_act", _act, methods=["POST"])
