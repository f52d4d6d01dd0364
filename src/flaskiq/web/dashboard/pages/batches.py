"""Batches: jobs that belong together, and how far they have come."""

from __future__ import annotations

from flask import abort

from flaskiq import api, current
from flaskiq.batch import Batch
from flaskiq.store.reading import Reading, together
from flaskiq.web.dashboard import listing
from flaskiq.web.dashboard.acts import Done, asked
from flaskiq.web.dashboard.page import Content, Page

SHOWN = 50
"""Batches on a page, and dead jobs of one."""


def _read() -> Reading[Content]:
    skipped = listing.skipped()
    found = yield from api.batches.reading(SHOWN, skipped)
    return {"batches": found, "after": skipped + SHOWN if len(found) == SHOWN else None}


def _read_one(batch_id: str) -> Reading[Content]:
    batches = current.state().store.batches
    batch, unfinished = yield from together(
        batches.get.reading(batch_id), batches.unfinished.reading(batch_id)
    )
    if batch is None:
        abort(404, f"No batch {batch_id} is known.")
    dead = [job_id for job_id, state in unfinished.items() if state == "dead"]
    return {"batch": batch, "dead_jobs": dead[:SHOWN]}


def _act(batch_id: str) -> Done:
    act, batch = asked("cancel", "retry"), Batch.find(batch_id)
    if batch is None:
        abort(404, f"No batch {batch_id} is known.")
    done = batch.cancel() if act == "cancel" else sum(map(api.DeadSet().retry, batch.dead_jobs()))
    return Done(act, f"batch {batch_id}", done)


PAGES = (
    Page(name="batches", path="/batches", read=_read),
    Page(name="batch", path="/batches/<batch_id>", read=_read_one, act=_act),
)
