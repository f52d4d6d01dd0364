"""Busy: the processes that fetch, and the jobs that run in them."""

from __future__ import annotations

from flask import Blueprint, abort, render_template, request
from werkzeug.wrappers import Response

from flaskiq import api
from flaskiq.web.dashboard.acts import asked, back


def _show() -> str:
    processes = sorted(api.ProcessSet(), key=lambda each: (each.node, each.identity))
    jobs = sorted((job for each in processes for job in each.jobs), key=lambda job: job.since)
    return render_template("flaskiq/busy.html", processes=processes, jobs=jobs)


def _act() -> Response:
    act = asked("quiet", "stop")
    identity = request.form.get("process", "")
    try:
        process = api.ProcessSet()[identity]
    except KeyError:
        abort(404, f"There is no process {identity} any more.")
    answered = process.quiet() if act == "quiet" else process.stop()
    return back(act if answered else "silent", None, identity)


def add(pages: Blueprint) -> None:
    """Add the routes."""
    pages.add_url_rule("/busy", "busy", _show)
    pages.add_url_rule("/busy", "busy_act", _act, methods=["POST"])
