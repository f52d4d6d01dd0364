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
from flaskiq.api.cron import CronEntry, CronRun, Firing, cron_leader, cron_preview
from flaskiq.api.filter import Filter
from flaskiq.api.find import cancel, find
from flaskiq.api.flow import Flow, Look, flows
from flaskiq.api.in_flight import InFlight
from flaskiq.api.job_record import JobRecord
from flaskiq.api.numbers import numbers
from flaskiq.api.processes import Process, ProcessSet, RunningJob, running
from flaskiq.api.queue import Queue
from flaskiq.api.sets import DeadSet, RetrySet, ScheduledSet
from flaskiq.api.stats import Stats, Times
from flaskiq.api.status import Status, status
from flaskiq.job import State
from flaskiq.store.batches import BatchRecord
from flaskiq.store.numbers import Numbers

__all__ = [
    "Backlog",
    "BatchRecord",
    "CronEntry",
    "CronRun",
    "DeadSet",
    "Filter",
    "Firing",
    "Flow",
    "InFlight",
    "JobRecord",
    "Look",
    "Numbers",
    "Process",
    "ProcessSet",
    "Queue",
    "RetrySet",
    "RunningJob",
    "ScheduledSet",
    "State",
    "Stats",
    "Status",
    "Times",
    "batches",
    "cancel",
    "cron_leader",
    "cron_preview",
    "find",
    "flows",
    "numbers",
    "running",
    "status",
]
