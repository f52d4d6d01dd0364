"""Scheduled, Retries and Dead: jobs that wait for a time, and those that gave up."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from flaskiq import api
from flaskiq.api import State
from flaskiq.store.reading import Reading, together
from flaskiq.web.dashboard import listing
from flaskiq.web.dashboard.acts import Done, asked, go_through, selected
from flaskiq.web.dashboard.page import Content, Page


class Verb(NamedTuple):
    """What can be done: the act, its title, and the methods for one job and for many."""

    act: str
    title: str
    one: str
    some: str


RUN = Verb("run", "Run now", "run_now", "run_some_now")
RETRY_NOW = Verb("retry", "Retry now", "run_now", "run_some_now")
RETRY = Verb("retry", "Retry", "retry", "retry_some")
KILL = Verb("kill", "Kill", "kill", "kill_some")
DELETE = Verb("delete", "Delete", "delete", "delete_some")


class Kind(NamedTuple):
    """One of the sets: its page, and what can be done with its jobs."""

    name: str
    title: str
    open: Callable[[], Any]
    verbs: tuple[Verb, ...]
    empty: str

    @property
    def acts(self) -> list[tuple[str, str]]:
        """Act and title of each verb."""
        return [(verb.act, verb.title) for verb in self.verbs]

    def verb(self, act: str) -> Verb:
        """Return the verb of an act."""
        return next(verb for verb in self.verbs if verb.act == act)


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


def _page_of(kind: Kind) -> Page:
    def read() -> Reading[Content]:
        jobs = kind.open()
        page, total = yield from together(
            jobs.page.reading(listing.given(), listing.after(), listing.rows()), jobs.size.reading()
        )
        texts = {"name": kind.name, "title": kind.title, "empty": kind.empty}
        return {**listing.content(page, total, kind.acts), "set": texts}

    def act() -> Done:
        verb = kind.verb(asked(*(verb.act for verb in kind.verbs)))
        jobs, ids = kind.open(), selected()
        if ids is None:
            where = listing.given()
            some = partial(getattr(jobs, verb.some), where)
            return go_through(verb.act, f"{kind.title}, {where}", some, len(jobs))
        done = sum(map(getattr(jobs, verb.one), ids))
        return Done(verb.act, f"{kind.title}, {', '.join(ids)}", done)

    return Page(name=kind.name, path=f"/{kind.name}", read=read, act=act, template="set")


PAGES = tuple(map(_page_of, KINDS.values()))
