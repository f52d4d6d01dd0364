"""The pools by name, and which time limits they do not keep: a worker says so at its start."""

from __future__ import annotations

import logging
import time
from typing import Any

from celery import concurrency
from celery.signals import celeryd_after_setup
from kombu.utils import functional

logger = logging.getLogger(__name__)

OURS = "flaskiq"
"""The name of our own pool, for ``--pool`` and ``worker_pool``."""

vars(concurrency)["ALIASES"][OURS] = "flaskiq.runtime.pool:FetchPool"

TEMPLATE = "_FLASKIQ_TEMPLATE"
"""Environment variable that tells a program to be a template of our pool, and no worker."""


def fetches(pool: Any) -> bool:
    """Whether a pool, or a class of pools, is our own: its children fetch for themselves.

    By a mark, so that only a worker with this pool loads it.
    """
    return bool(getattr(pool, "fetches", False))


LIMITS: dict[str, frozenset[str]] = {
    OURS: frozenset({"soft", "hard"}),
    "prefork": frozenset({"soft", "hard"}),
    "gevent": frozenset({"hard"}),
    "eventlet": frozenset(),
    "threads": frozenset(),
    "solo": frozenset(),
}
"""The time limits that act in each pool (celery/concurrency/*.py, 5.7)."""


def unkept_limits(pool: str) -> list[str]:
    """The limits that do not act in ``pool``; none for a pool that is not Celery's own."""
    if pool not in LIMITS:
        return []
    return [
        setting
        for limit, setting in (("soft", "task_soft_time_limit"), ("hard", "task_time_limit"))
        if limit not in LIMITS[pool]
    ]


@celeryd_after_setup.connect(weak=False)
def _say(instance: Any, conf: Any, **_: Any) -> None:
    pool = pool_name(instance.pool_cls)
    limits = [setting for setting in unkept_limits(pool) if conf[setting]]
    if limits:
        logger.warning(
            "The %s pool cannot interrupt a job: %s has no effect; use --pool prefork for limits",
            pool,
            " and ".join(limits),
        )


@celeryd_after_setup.connect(weak=False)
def _sleep_as_patched(**_: Any) -> None:
    """Let kombu pause between two connects by the ``sleep`` that gevent has put in place.

    As gevent patches threads it looks at all objects for locks, and Celery's lazy ones import kombu
    by that: before ``time`` is patched. All greenlets would stand still in each pause.
    """
    vars(functional)["sleep"] = time.sleep


def pool_name(pool_cls: Any) -> str:
    """The name under which ``--pool`` knows a pool class, for example ``prefork``."""
    module = pool_cls if isinstance(pool_cls, str) else pool_cls.__module__
    if str(module).startswith("flaskiq."):
        return OURS
    name = str(module).partition(":")[0].rpartition(".")[2]
    return {"thread": "threads", "processes": "prefork"}.get(name, name)
