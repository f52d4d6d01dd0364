"""Read and operate: what is in Redis, and what can be done about it.

::

    from flaskiq import api

    api.find("0f0c...").state                  # State.RETRYING
    api.Queue("low").pause()
    api.RetrySet().delete_all(api.Filter(worker="shop.Import"))
    for process in api.ProcessSet(): ...

Everything is about the current app (``flaskiq.current``). Iterating is safe while jobs move.
"""

from flaskiq.api.backlog import Backlog
from flaskiq.api.batches import batches
from flaskiq.api.cron import (
    CronEntry,
    CronRecord,
    CronRun,
    Firing,
    cron_entries,
    cron_leader,
    cron_preview,
)
from flaskiq.api.demand import Demand, Target, demand
from flaskiq.api.filter import Filter
from flaskiq.api.find import cancel, find
from flaskiq.api.flow import Flow, Look, flows
from flaskiq.api.in_flight import InFlight
from flaskiq.api.job_record import JobRecord
from flaskiq.api.metrics import Bucket, Metrics, Minute, WorkerMetrics, metrics, worker_metrics
from flaskiq.api.numbers import numbers
from flaskiq.api.processes import Process, ProcessSet, RunningJob, processes, running
from flaskiq.api.queue import Queue, QueueRecord, queues
from flaskiq.api.sets import DeadSet, RetrySet, ScheduledSet
from flaskiq.api.stats import Stats, Times
from flaskiq.api.status import Status, status
from flaskiq.api.stretch import Page, Stretch
from flaskiq.attempt import Attempt
from flaskiq.job import State
from flaskiq.store.batches import BatchRecord
from flaskiq.store.numbers import Numbers

__all__ = [
    "Attempt",
    "Backlog",
    "BatchRecord",
    "Bucket",
    "CronEntry",
    "CronRecord",
    "CronRun",
    "DeadSet",
    "Demand",
    "Filter",
    "Firing",
    "Flow",
    "InFlight",
    "JobRecord",
    "Look",
    "Metrics",
    "Minute",
    "Numbers",
    "Page",
    "Process",
    "ProcessSet",
    "Queue",
    "QueueRecord",
    "RetrySet",
    "RunningJob",
    "ScheduledSet",
    "State",
    "Stats",
    "Status",
    "Stretch",
    "Target",
    "Times",
    "WorkerMetrics",
    "batches",
    "cancel",
    "cron_entries",
    "cron_leader",
    "cron_preview",
    "demand",
    "find",
    "flows",
    "metrics",
    "numbers",
    "processes",
    "queues",
    "running",
    "status",
    "worker_metrics",
]
