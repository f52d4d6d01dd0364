"""Queues: how many jobs are ready, for how long, and which they are."""

from __future__ import annotations

from functools import partial

from flaskiq import api
from flaskiq.api.queue import latency
from flaskiq.store.reading import Reading, together
from flaskiq.web.dashboard import listing
from flaskiq.web.dashboard.acts import Done, asked, field, go_through, selected
from flaskiq.web.dashboard.page import Content, Page


def _read() -> Reading[Content]:
    return {"queues": (yield from api.queues.reading())}


def _act() -> Done:
    return _switch(asked("pause", "unpause"), api.Queue(field("queue")))


def _switch(act: str, queue: api.Queue) -> Done:
    if act == "pause":
        queue.pause()
    else:
        queue.unpause()
    return Done(act, f"queue {queue.name}")


def _read_one(name: str) -> Reading[Content]:
    queue, ready = api.Queue(name), api.Queue(name).ready
    page, sizes, oldest, paused = yield from together(
        queue.page.reading(listing.given(), listing.after(), listing.rows()),
        ready.sizes.reading([name]),
        ready.oldest.reading([name]),
        ready.paused.reading(),
    )
    return {
        **listing.content(page, sizes[name], (("delete", "Delete"),)),
        "queue": name,
        "latency": latency(name, oldest[name]),
        "is_paused": name in paused,
    }


def _act_on_one(name: str) -> Done:
    queue, act = api.Queue(name), asked("pause", "unpause", "delete")
    if act != "delete":
        return _switch(act, queue)
    ids, where = selected(), listing.given()
    if ids is None:
        some = partial(queue.delete_some, where)
        return go_through(act, f"queue {name}, {where}", some, queue.size)
    return Done(act, f"queue {name}, {', '.join(ids)}", sum(map(queue.delete, ids)))


PAGES = (
    Page(name="queues", path="/queues", read=_read, act=_act),
    Page(name="queue", path="/queues/<path:name>", read=_read_one, act=_act_on_one),
)
