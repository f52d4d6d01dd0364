"""Scheduled, Retries and Dead: jobs that wait for a time, and those that gave up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from flask import Blueprint, abort, render_template, request
from werkzeug.wrappers import Response

from flaskiq import api
from flaskiq.api import JobRecord, State
from flaskiq.web.dashboard.acts import asked, back
from flaskiq.web.dashboard.listing import PAGE, Listing, given, selected

CHUNK, CHUNKS = 500, 10
"""So many jobs at a time, and so often, are looked at for those that a filter means."""


class Verb(NamedTuple):
    """What can be done: the act, its title, and the methods for one job and for many."""

    act: str
    title: str
    one: str
    many: str


RUN = Verb("run", "Run now", "run_now", "run_all_now")
RETRY_NOW = Verb("retry", "Retry now", "run_now", "run_all_now")
RETRY = Verb("retry", "Retry", "retry", "retry_all")
KILL = Verb("kill", "Kill", "kill", "kill_all")
DELETE = Verb("delete", "Delete", "delete", "delete_all")


class Kind(NamedTuple):
    """One of the sets: its page, and what can be done with its jobs."""

    name: str
    title: str
    open: Callable[[], Any]
    verbs: tuple[Verb, ...]
    empty: str


KINDS = {
    State.SCHEDULED: Kind(
        "scheduled",
        "Scheduled",
        api.ScheduledSet,
        (RUN, KILL, DELETE),
        "No job waits for its time. perform_in and perform_at put one here.",
    ),
    State.RETRYING: Kind(
        "retries",
        "Retries",
        api.RetrySet,
        (RETRY_NOW, KILL, DELETE),
        "No job waits for another attempt: all went well.",
    ),
    State.DEAD: Kind("dead", "Dead", api.DeadSet, (RETRY, DELETE), "No job has given up."),
}
"""The set of the jobs in a state."""


def _listing(kind: Kind, jobs: Any) -> Listing:
    where, after, found = given(), _cursor(), []
    looked_at = 0
    for _ in range(1 if where.is_empty else CHUNKS):
        chunk: list[JobRecord] = jobs.page(after, PAGE if where.is_empty else CHUNK)
        for job in chunk:
            looked_at += 1
            after = (job.at or 0.0, job.id)
            if where.matches(job):
                found.append(job)
            if len(found) == PAGE:
                break
        if len(found) == PAGE or len(chunk) < (PAGE if where.is_empty else CHUNK):
            break
    has_more = len(found) == PAGE or (not where.is_empty and looked_at == CHUNK * CHUNKS)
    return Listing(
        jobs=found,
        total=len(jobs),
        where=where,
        after=f"{after[0]!r},{after[1]}" if has_more and after else None,
        looked_at=looked_at,
        acts=[(verb.act, verb.title) for verb in kind.verbs],
    )


def _cursor() -> tuple[float, str] | None:
    at, _, job_id = request.args.get("after", "").partition(",")
    if not job_id:
        return None
    try:
        return float(at), job_id
    except ValueError:
        abort(400, "This is no place in the list.")


def add(pages: Blueprint) -> None:
    """Add the routes of each set."""
    for kind in KINDS.values():
        _add(pages, kind)


def _add(pages: Blueprint, kind: Kind) -> None:
    def show() -> str:
        return render_template("flaskiq/set.html", kind=kind, listing=_listing(kind, kind.open()))

    verbs = {verb.act: verb for verb in kind.verbs}

    def act() -> Response:
        verb, jobs, ids = verbs[asked(*verbs)], kind.open(), selected()
        if ids is None:
            where = given()
            done = getattr(jobs, verb.many)(where)
            return back(verb.act, done, f"{kind.title}, {where}")
        done = sum(map(getattr(jobs, verb.one), ids))
        return back(verb.act, done, f"{kind.title}, {', '.join(ids)}")

    pages.add_url_rule(f"/{kind.name}", kind.name, show)
    pages.add_url_rule(f"/{kind.name}", f"{kind.name}_act", act, methods=["POST"])
