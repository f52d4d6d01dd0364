"""Figures: what is in Redis that metrics of the whole app are made of, read in two trips."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple, cast

from flaskiq import current
from flaskiq.api.queue import QueueRecord, queues
from flaskiq.metrics.metric import Labels, Times
from flaskiq.store.cron import Leadership
from flaskiq.store.numbers import Numbers, count
from flaskiq.store.reading import Reading, together
from flaskiq.store.statistics import Counts
from flaskiq.tally import Series


class Figures(NamedTuple):
    """What there is now, and counts since the beginning; see the table in ``metric.py``."""

    ended: Mapping[Labels, int]
    ran: Mapping[Labels, Times]
    waited: Mapping[Labels, Times]
    incidents: Counts
    numbers: Numbers
    queues: list[QueueRecord]
    in_flight: int
    concurrency: int
    leadership: Leadership
    cron_entries: int
    chords: Mapping[str, float]


def figures() -> Reading[Figures]:
    """Read everything; two trips, three if a process serves a queue that the app does not name."""
    store = current.state().store
    (
        series,
        incidents,
        numbers,
        found,
        in_flight,
        facts,
        leadership,
        entries,
        chords,
    ) = yield from together(
        store.statistics.series.reading(),
        store.statistics.incidents.reading(),
        count(store.keys, []),
        queues.reading(),
        store.processes.in_flight.reading(),
        store.processes.facts.reading(),
        store.cron.leadership.reading(),
        store.cron.number.reading(),
        store.chords.reported.reading(),
    )
    return Figures(
        {name[1:]: number for name, number in series.items() if name[0] == "ended"},
        _times("run", series, parts=1e6),
        _times("wait", series, parts=1e3),
        incidents,
        numbers,
        found,
        in_flight,
        sum(int(each.get("concurrency", 0)) for each in facts.values()),
        leadership,
        entries,
        chords,
    )


def _times(kind: Series, series: Mapping[Labels, int], parts: float) -> dict[Labels, Times]:
    """Put the buckets of each name together; its sum is in so many ``parts`` of a second."""
    sizes: defaultdict[Labels, dict[int, int]] = defaultdict(dict)
    seconds: dict[Labels, float] = {}
    for (first, *names, last), number in series.items():
        if first != kind:
            continue
        labels = cast("Labels", tuple(names))
        if last.isdigit():
            sizes[labels][int(last)] = number
        else:
            seconds[labels] = number / parts
    return {labels: Times(each, seconds.get(labels, 0.0)) for labels, each in sizes.items()}
