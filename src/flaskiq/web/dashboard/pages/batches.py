"""Batches: jobs that belong together, and how far they have come."""

from __future__ import annotations

from flask import Blueprint, abort, render_template
from werkzeug.wrappers import Response

from flaskiq import api
from flaskiq.batch import Batch
from flaskiq.web.dashboard.acts import asked, back

SHOWN = 100


def _show() -> str:
    return render_template("flaskiq/batches.html", batches=api.batches(SHOWN))


def _show_one(batch_id: str) -> str:
    batch = _batch(batch_id)
    return render_template(
        "flaskiq/batch.html", batch=batch.status(), dead=batch.dead_jobs()[:SHOWN]
    )


def _act(batch_id: str) -> Response:
    act, batch = asked("cancel", "retry"), _batch(batch_id)
    if act == "cancel":
        return back(act, batch.cancel(), f"batch {batch_id}")
    replayed = sum(map(api.DeadSet().retry, batch.dead_jobs()))
    return back(act, replayed, f"batch {batch_id}")


def _batch(batch_id: str) -> Batch:
    found = Batch.find(batch_id)
    if found is None:
        abort(404, f"No batch {batch_id} is known.")
    return found


def add(pages: Blueprint) -> None:
    """Add the routes."""
    pages.add_url_rule("/batches", "batches", _show)
    pages.add_url_rule("/batches/<batch_id>", "batch", _show_one)
    pages.add_url_rule("/batches/<batch_id>", "batch_act", _act, methods=["POST"])
