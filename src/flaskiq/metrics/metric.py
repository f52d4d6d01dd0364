"""Metric: one row of the table of all metrics; docs/metrics.md is held against it.

Names and labels are what dashboards and alerts are made of: one that is here stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Literal, NamedTuple

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

from flaskiq import histogram

Labels = tuple[str, ...]
"""The values of the labels of one series, in the order of the table."""

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily

SHOWN = (
    0.001, 0.003, 0.01, 0.03, 0.1, 0.225, 0.5, 1.1, 2.5, 5.75, 13, 30, 65, 150, 335,
)  # fmt: skip
"""Seconds: the bounds that are shown, about every other one of those that are counted. Each costs
Prometheus a series for every Worker."""


class Times(NamedTuple):
    """How long something took: how often by bucket of :mod:`flaskiq.histogram`, seconds in all."""

    counts: Mapping[int, int]
    seconds: float

    def buckets(self) -> list[tuple[str, float]]:
        """Return how many took no longer than each bound that is shown."""
        sizes = range(len(histogram.BOUNDS) + 1)
        *upto, everything = accumulate(self.counts.get(size, 0) for size in sizes)
        found = zip(histogram.BOUNDS, upto, strict=True)
        shown = [(str(bound), float(n)) for bound, n in found if bound in SHOWN]
        return [*shown, ("+Inf", float(everything))]


class Metric(NamedTuple):
    """A metric; ``meaning`` is its HELP. Counters end with ``_total``, times are in seconds."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: Labels = ()

    def of(self, values: Mapping[Labels, float]) -> Family:
        """Return it with a value for each series."""
        make = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        family = make(self.name, self.meaning, labels=self.labels)
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family

    def of_one(self, value: float | None) -> Family:
        """Return it with its only value; with none if that is not known."""
        return self.of({} if value is None else {(): value})

    def of_times(self, times: Mapping[Labels, Times]) -> Family:
        """Return a histogram."""
        family = HistogramMetricFamily(self.name, self.meaning, labels=self.labels)
        for labels, each in times.items():
            family.add_metric(labels, each.buckets(), each.seconds)
        return family


OUTAGES = Metric(
    "flaskiq_redis_errors_total",
    "counter",
    "How often this program could not reach Redis: fetches, heartbeats, turns of a loop, scrapes.",
)

UP = Metric("flaskiq_up", "gauge", "1 if Redis has answered this scrape, else 0.")
JOBS = Metric(
    "flaskiq_jobs_total",
    "counter",
    "Attempts that ended, by how: done, retried, snoozed, dead, discarded or cancelled.",
    ("worker", "queue", "outcome"),
)
RUN = Metric(
    "flaskiq_job_run_seconds",
    "histogram",
    "How long attempts ran.",
    ("worker",),
)
WAIT = Metric(
    "flaskiq_job_wait_seconds",
    "histogram",
    "How long jobs waited from when they were ready, or due, to their start.",
    ("queue",),
)
REAPED = Metric(
    "flaskiq_jobs_reaped_total",
    "counter",
    "Jobs that were in flight in a process that died, and were moved on; once for each death.",
)
POISONED = Metric(
    "flaskiq_jobs_poisoned_total",
    "counter",
    "Jobs that went to the dead set since three processes died while they were in flight.",
)
FENCED = Metric(
    "flaskiq_jobs_fenced_total",
    "counter",
    "Jobs that finished in a process after they were given to others: they ran twice.",
)
QUEUE_SIZE = Metric(
    "flaskiq_queue_size",
    "gauge",
    "Ready jobs, over all lists of the queue.",
    ("queue",),
)
QUEUE_LATENCY = Metric(
    "flaskiq_queue_latency_seconds",
    "gauge",
    "For how long the oldest ready job has been ready; 0 without any.",
    ("queue",),
)
QUEUE_PAUSED = Metric(
    "flaskiq_queue_paused",
    "gauge",
    "1 if nobody fetches from the queue, since it is paused, else 0.",
    ("queue",),
)
QUEUE_PROCESSES = Metric(
    "flaskiq_queue_processes",
    "gauge",
    "Living processes that serve the queue.",
    ("queue",),
)
SET_SIZE = Metric(
    "flaskiq_set_size",
    "gauge",
    "Jobs that wait for a time (scheduled), for another attempt (retry), or gave up (dead).",
    ("set",),
)
IN_FLIGHT = Metric(
    "flaskiq_jobs_in_flight",
    "gauge",
    "Jobs that processes have fetched and not acknowledged, those of dead processes too.",
)
BUSY = Metric("flaskiq_jobs_busy", "gauge", "Jobs that run.")
PROCESSES = Metric("flaskiq_processes", "gauge", "Processes that may fetch.")
CONCURRENCY = Metric("flaskiq_concurrency", "gauge", "Jobs that these processes can run at a time.")
CRON_LEADER = Metric("flaskiq_cron_leader", "gauge", "1 if a scheduler leads, else 0.")
CRON_ENTRIES = Metric("flaskiq_cron_entries", "gauge", "Cron entries that a scheduler has.")
CRON_LAG = Metric(
    "flaskiq_cron_lag_seconds",
    "gauge",
    "By how much the last slot was late when its job was enqueued.",
)
CRON_TICK = Metric(
    "flaskiq_cron_tick_timestamp_seconds",
    "gauge",
    "When the leader looked last, in seconds since the epoch; it looks each second.",
)
CHORDS_ACTIVE = Metric(
    "flaskiq_chords_active", "gauge", "Chords that are not over, as the watcher saw them last."
)
CHORDS_STUCK = Metric(
    "flaskiq_chords_stuck", "gauge", "Chords that cannot end by themselves, as it saw them last."
)
CHORDS_OLDEST = Metric(
    "flaskiq_chords_oldest_seconds", "gauge", "Age of the oldest chord that it saw last."
)
CHORDS_LOOK = Metric(
    "flaskiq_chords_look_timestamp_seconds",
    "gauge",
    "When the watcher of the chords looked last, in seconds since the epoch.",
)

WORKER_JOBS = Metric(
    "flaskiq_worker_jobs_total",
    "counter",
    "Attempts that ended in this worker since it began, by how.",
    ("worker", "queue", "outcome"),
)
WORKER_BUSY = Metric("flaskiq_worker_busy", "gauge", "Jobs that run in this worker.")
WORKER_CONCURRENCY = Metric(
    "flaskiq_worker_concurrency", "gauge", "Jobs that this worker can run at a time."
)
WORKER_CHILDREN = Metric(
    "flaskiq_worker_children", "gauge", "Processes of this worker that fetch; flaskiq pool only."
)
WORKER_GONE = Metric(
    "flaskiq_worker_children_ended_total",
    "counter",
    "Those that have ended, and were replaced while the worker goes on: left by themselves, killed "
    "for a limit or so, or crashed.",
    ("how",),
)

CLUSTER = (
    UP, JOBS, RUN, WAIT, REAPED, POISONED, FENCED, QUEUE_SIZE, QUEUE_LATENCY, QUEUE_PAUSED,
    QUEUE_PROCESSES, SET_SIZE, IN_FLIGHT, BUSY, PROCESSES, CONCURRENCY, CRON_LEADER, CRON_ENTRIES,
    CRON_LAG, CRON_TICK, CHORDS_ACTIVE, CHORDS_STUCK, CHORDS_OLDEST, CHORDS_LOOK, OUTAGES,
)  # fmt: skip
"""What ``flaskiq metrics`` tells of the whole app."""

WORKER = (
    WORKER_JOBS, WORKER_BUSY, WORKER_CONCURRENCY, WORKER_CHILDREN, WORKER_GONE, OUTAGES,
)  # fmt: skip
"""What a worker tells of itself."""
