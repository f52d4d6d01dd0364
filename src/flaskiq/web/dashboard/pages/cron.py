"""Cron: the entries of the app, their next times and their last runs."""

from __future__ import annotations

from flask import Blueprint, abort, render_template, request
from werkzeug.wrappers import Response

from flaskiq import api
from flaskiq.errors import ArgumentError
from flaskiq.web.dashboard.acts import asked, back

NEXT, RUNS = 3, 5
"""So many times to come, and runs, are shown of each."""


def _show() -> str:
    entries = [
        {
            "name": each.name,
            "task": each.task,
            "schedule": each.schedule,
            "zone": each.zone,
            "description": each.description,
            "is_paused": each.is_paused,
            "next": [at.timestamp() for at in each.next(NEXT)],
            "runs": each.runs()[:RUNS],
        }
        for each in api.CronEntry.all()
    ]
    return render_template("flaskiq/cron.html", entries=entries, leader=api.cron_leader())


def _act() -> Response:
    act, name = asked("pause", "unpause", "run"), request.form.get("entry", "")
    try:
        entry = api.CronEntry(name)
    except ArgumentError as error:
        abort(404, str(error))
    if act == "run":
        entry.run_now()
        return back(act, 1, f"cron entry {name}")
    if act == "pause":
        entry.pause()
    else:
        entry.resume()
    return back(act, None, f"cron entry {name}")


def add(pages: Blueprint) -> None:
    """Add the routes."""
    pages.add_url_rule("/cron", "cron", _show)
    pages.add_url_rule("/cron", "cron_act", _act, methods=["POST"])
