"""Cron: the entries of the app, their next times and their last runs."""

from __future__ import annotations

from flask import abort

from flaskiq import api
from flaskiq.errors import ArgumentError
from flaskiq.store.reading import Reading, together
from flaskiq.web.dashboard.acts import Done, asked, field
from flaskiq.web.dashboard.page import Content, Page


def _read() -> Reading[Content]:
    entries, leader = yield from together(api.cron_entries.reading(), api.cron_leader.reading())
    return {"entries": entries, "leader": leader}


def _act() -> Done:
    act, name = asked("pause", "unpause", "run"), field("entry")
    try:
        entry = api.CronEntry(name)
    except ArgumentError as error:
        abort(404, str(error))
    if act == "run":
        entry.run_now()
        return Done(act, f"cron entry {name}", 1)
    if act == "pause":
        entry.pause()
    else:
        entry.resume()
    return Done(act, f"cron entry {name}")


PAGES = (Page(name="cron", path="/cron", read=_read, act=_act),)
