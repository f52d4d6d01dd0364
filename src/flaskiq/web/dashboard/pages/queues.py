"""Queues: how many jobs are ready, for how long, and which they are."""

from __future__ import annotations

from itertools import islice

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from flaskiq import api
from flaskiq.web.dashboard.acts import asked, back
from flaskiq.web.dashboard.listing import PAGE, Listing, given, selected

LOOKED_AT = 5_000
"""Jobs among which those that are asked for are looked for."""


def _show() -> str:
    served = [set(each.queues) for each in api.ProcessSet()]
    queues = [
        {
            "name": each.name,
            "size": each.size,
            "latency": each.latency,
            "is_paused": each.is_paused,
            "processes": sum(each.name in names for names in served),
        }
        for each in api.Queue.all()
    ]
    return render_template("flaskiq/queues.html", queues=queues)


def _act() -> Response:
    return _switch(asked("pause", "unpause"), api.Queue(request.form.get("queue", "")))


def _switch(act: str, queue: api.Queue) -> Response:
    if act == "pause":
        queue.pause()
    else:
        queue.unpause()
    return back(act, None, f"queue {queue.name}")


def _show_one(name: str) -> str:
    queue, where, start = api.Queue(name), given(), request.args.get("after", 0, type=int)
    looked_at = list(islice(queue, start, start + (PAGE if where.is_empty else LOOKED_AT)))
    jobs = [job for job in looked_at if where.matches(job)][:PAGE]
    last = looked_at.index(jobs[-1]) + 1 if len(jobs) == PAGE else len(looked_at)
    size = queue.size
    listing = Listing(
        jobs=jobs,
        total=size,
        where=where,
        after=str(start + last) if start + last < size else None,
        looked_at=len(looked_at),
        acts=(("delete", "Delete"),),
    )
    return render_template(
        "flaskiq/queue.html",
        queue=queue,
        listing=listing,
        latency=queue.latency,
        is_paused=queue.is_paused,
    )


def _act_on_one(name: str) -> Response:
    queue, where = api.Queue(name), given()
    act = asked("pause", "unpause", "delete")
    if act != "delete":
        return _switch(act, queue)
    ids = selected()
    if ids is None:
        return back(act, queue.delete_all(where), f"queue {name}, {where}")
    return back(act, sum(map(queue.delete, ids)), f"queue {name}, {', '.join(ids)}")


def add(pages: Blueprint) -> None:
    """Add the routes."""
    pages.add_url_rule("/queues", "queues", _show)
    pages.add_url_rule("/queues", "queues_act", _act, methods=["POST"])
    pages.add_url_rule("/queues/<path:name>", "queue", _show_one)
    pages.add_url_rule("/queues/<path:name>", "queue_act", _act_on_one, methods=["POST"])
