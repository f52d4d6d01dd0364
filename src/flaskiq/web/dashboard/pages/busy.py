"""Busy: the processes that fetch, and the jobs that run in them."""

from __future__ import annotations

from flask import abort

from flaskiq import api
from flaskiq.store.reading import Reading
from flaskiq.web.dashboard.acts import Done, asked, field
from flaskiq.web.dashboard.page import Content, Page

SHOWN = 200
"""Running jobs; the longest running ones."""


def _read() -> Reading[Content]:
    processes = yield from api.processes.reading()
    jobs = sorted((job for each in processes for job in each.jobs), key=lambda job: job.since)
    return {"processes": processes, "jobs": jobs[:SHOWN], "running": len(jobs)}


def _act() -> Done:
    act, identity = asked("quiet", "stop"), field("process")
    try:
        process = api.ProcessSet()[identity]
    except KeyError:
        abort(404, f"There is no process {identity} any more.")
    answered = process.quiet() if act == "quiet" else process.stop()
    return Done(act if answered else "silent", identity)


PAGES = (Page(name="busy", path="/busy", read=_read, act=_act),)
