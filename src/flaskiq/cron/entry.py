"""The beat entry of a Worker with a ``cron_schedule``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from flaskiq.cron.schedule import CronSchedule
from flaskiq.moments import span

if TYPE_CHECKING:
    from celery import Celery

    from flaskiq.worker import Worker

logger = logging.getLogger(__name__)


def add(celery: Celery, worker: type[Worker]) -> None:
    """Put ``worker`` into ``beat_schedule`` if it has a cron schedule."""
    if worker.cron_schedule is None:
        return
    _warn_of_arguments(worker)
    name = worker.task_name()
    entry: dict[str, Any] = {"task": name, "schedule": CronSchedule(worker.cron_schedule)}
    if worker.expires is not None:
        entry["options"] = {"expires": span(worker.expires).total_seconds()}
    # A new dict: Celery shares the default one between apps.
    celery.conf.beat_schedule = {**celery.conf.beat_schedule, name: entry}


def _warn_of_arguments(worker: type[Worker]) -> None:
    """A Worker may serve both ways, but the jobs of its schedule carry no arguments."""
    try:
        worker.signature_check()()
    except TypeError as error:
        logger.warning(
            "%s: cron enqueues %s without arguments, and %s; give them defaults",
            worker.source(),
            worker.task_name(),
            error,
        )
