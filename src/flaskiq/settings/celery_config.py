"""From the table to the configuration of a Celery app. Pure."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from celery.app.defaults import (  # type: ignore[attr-defined] # the stubs lack some
    _TO_NEW_KEY,
    DEFAULT_PROCESS_LOG_FMT,
    DEFAULT_TASK_LOG_FMT,
    SETTING_KEYS,
)
from kombu import Queue

from flaskiq.errors import SettingError, did_you_mean
from flaskiq.settings import tls
from flaskiq.settings.kinds import queue_names
from flaskiq.settings.table import TABLE

if TYPE_CHECKING:
    from celery import Celery

logger = logging.getLogger(__name__)

BEHIND = "%(flaskiq_outcome)s%(flaskiq_tenant)s"

DEFAULTS: Mapping[str, Any] = {
    # A killed worker loses no job: the message is acknowledged after the job, not before.
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_track_started": True,
    # JSON only: whoever can write to Redis must not be able to run code in a worker.
    "task_serializer": "json",
    "result_serializer": "json",
    "accept_content": ("json",),
    "result_accept_content": ("json",),
    # With queue_order_strategy below: strict order of the queues, nothing fetched ahead. A prefetch
    # multiplier that somebody has set ends it.
    "worker_disable_prefetch": True,
    "broker_connection_max_retries": None,
    # After a failover the old master refuses to write: connect again, do not end.
    "broker_channel_error_retry": True,
    "enable_utc": True,
    # Celery's, and behind the message what became of the job, and its tenant (logs/records.py).
    "worker_log_format": f"{DEFAULT_PROCESS_LOG_FMT}{BEHIND}",
    "worker_task_log_format": f"{DEFAULT_TASK_LOG_FMT}{BEHIND}",
}
"""What Flaskiq sets besides the table; the ``CELERY`` dict overrides each."""

SCHEDULER = "flaskiq.cron.scheduler:FlaskiqScheduler"

_KNOWN = SETTING_KEYS | {"result_backend_thread_safe", "gcs_threadpool_maxsize"}
"""Celery 5.7 reads the last two, but does not list them."""

_COUNTED = (
    "is not a setting of Celery: chords on a Redis result backend are counted, never polled; "
    "use result_chord_expires"
)
_DEAD = {"chord_unlock_max_retries": _COUNTED, "chord_unlock_retry_delay": _COUNTED}
_PERSISTENT = (
    "CELERY['result_persistent'] acts on nothing: it belongs to the RPC result backend; on Redis "
    "use result_expires"
)


def refuse_unknown_keys(given: Mapping[str, Any]) -> None:
    """Refuse a key of the ``CELERY`` dict that Celery would not read."""
    for key in given:
        if key not in _KNOWN:
            raise SettingError(f"CELERY[{key!r}] {_advise(str(key))}")


def warn_unread_keys(config: Mapping[str, Any]) -> None:
    """Warn about ``CELERY_*`` keys of Flask config that only look alive."""
    names = {row.name for row in TABLE}
    for key in config:
        if key.startswith("CELERY_") and key not in names:
            logger.warning(
                "%s in Flask config is not read by Flaskiq: in the CELERY dict it %s",
                key,
                _advise(key),
            )


def _advise(key: str) -> str:
    lower = key.lower().removeprefix("celery_")
    if lower in _DEAD:
        return _DEAD[lower]
    if new := name_of(key):
        return f"is called {new!r}"
    nearest = did_you_mean(lower, _KNOWN)
    return f"is not a setting of Celery{nearest or '; set other keys on flaskiq.celery.conf'}"


def name_of(key: str) -> str | None:
    """Return what Celery calls a setting today that somebody writes in upper case or as of old."""
    lower = key.lower().removeprefix("celery_")
    return lower if lower in _KNOWN else _TO_NEW_KEY.get(key.upper())


def settings_of(celery: Celery) -> dict[str, Any]:
    """Return what somebody has set on an existing Celery app.

    Its plain tasks go to the queue ``celery`` unless it says otherwise, and so it is consumed too.
    """
    conf = celery.conf
    own = {key: conf[key] for key in _KNOWN if conf.value_set_for(key)}
    own.setdefault("task_default_queue", conf.task_default_queue)
    return own


def build(values: Mapping[str, Any], adopted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole Celery configuration.

    ``values`` are those of the table, ``adopted`` the :func:`settings_of` an existing Celery app.
    """
    given = {**adopted, **values["CELERY"]}
    declared = given.get("task_queues")
    queues = declare_queues(declared or values["FLASKIQ_QUEUES"])
    ahead = {"worker_disable_prefetch": values["CELERY_WORKER_PREFETCH_MULTIPLIER"] == 1}
    if values["FLASKIQ_SCHEDULER"] == "flaskiq":
        given = {"beat_scheduler": SCHEDULER, **given}
    config = {**DEFAULTS, **ahead, **given, **tls.require(values, given), **_feed(values)}
    own = config.setdefault("task_default_queue", _default_queue(values["FLASKIQ_QUEUES"]))
    if adopted and not declared and own not in {queue.name for queue in queues}:
        queues = (*queues, _declare(own, {}))
    config["task_queues"] = queues
    _check_weights(values["FLASKIQ_QUEUE_WEIGHTS"], {queue.name for queue in queues})
    config["broker_transport_options"] = {
        **_transport_options(values),
        **(given.get("broker_transport_options") or {}),
    }
    return config


def _feed(values: Mapping[str, Any]) -> dict[str, Any]:
    rows = [row for row in TABLE if row.celery]
    # None is Celery's own default where it is ours; elsewhere somebody has asked for it.
    return {
        str(row.celery): values[row.name]
        for row in rows
        if values[row.name] is not None or row.default is not None
    }


def declare_queues(given: Any) -> tuple[Queue, ...]:
    """Return kombu queues, in order, for any form of ``task_queues``.

    An exchange and a routing key that are not given are called like the queue; left out, kombu
    would bind every queue to the default queue's.
    """
    if isinstance(given, Mapping):
        return tuple(_declare(name, options) for name, options in given.items())
    if isinstance(given, str):
        given = queue_names(given)
    return tuple(_declare(queue, {}) for queue in given)


def _declare(queue: Any, options: Any) -> Queue:
    if isinstance(options, Queue):
        return options
    if isinstance(queue, Queue):
        return queue
    return Queue.from_dict(queue, **{"exchange": queue, "routing_key": queue, **(options or {})})


def _default_queue(names: tuple[str, ...]) -> str:
    return "default" if "default" in names else names[0]


def _check_weights(weights: Mapping[str, int] | None, queues: set[str]) -> None:
    for queue in weights or ():
        if queue not in queues:
            raise SettingError(
                f"FLASKIQ_QUEUE_WEIGHTS: there is no queue {queue!r}{did_you_mean(queue, queues)}"
            )


def _transport_options(values: Mapping[str, Any]) -> dict[str, Any]:
    given = values["CELERY"].get("broker_transport_options") or {}
    return {
        "queue_order_strategy": "priority",
        "socket_timeout": 30,
        "socket_keepalive": True,
        "queue_weights": dict(values["FLASKIQ_QUEUE_WEIGHTS"] or {}),
        "heartbeat_ttl": values["FLASKIQ_HEARTBEAT_TTL"],
        "dead_jobs": values["FLASKIQ_DEAD_JOBS"],
        "dead_age": values["FLASKIQ_DEAD_AGE"],
        "history_jobs": values["FLASKIQ_HISTORY_JOBS"],
        "history_age": values["FLASKIQ_HISTORY_AGE"],
        "shutdown_timeout": values["FLASKIQ_SHUTDOWN_TIMEOUT"],
        "threads": values["FLASKIQ_THREADS"],
        **given,
    }


def check(values: Mapping[str, Any], given: set[str]) -> None:
    """Check what concerns several settings; ``given`` are the names that somebody has set."""
    _check_limits(values)
    _check_queues(values)
    rpc = values["CELERY_RESULT_BACKEND"].startswith("rpc:")
    if "result_persistent" in values["CELERY"] and not rpc:
        raise SettingError(_PERSISTENT)
    if "CELERY_RESULT_CHORD_EXPIRES" in given:
        _warn_short("result_chord_expires", values["CELERY_RESULT_CHORD_EXPIRES"], values)


def _check_limits(values: Mapping[str, Any]) -> None:
    soft, hard = values["CELERY_TASK_SOFT_TIME_LIMIT"], values["CELERY_TASK_TIME_LIMIT"]
    if soft and hard and soft > hard:
        raise SettingError(
            f"CELERY_TASK_SOFT_TIME_LIMIT={soft} is above CELERY_TASK_TIME_LIMIT={hard}, so it "
            "would never act: make it smaller"
        )


def _check_queues(values: Mapping[str, Any]) -> None:
    given = values["CELERY"].get("task_queues")
    if given and queue_names(given) != values["FLASKIQ_QUEUES"]:
        raise SettingError(
            f"FLASKIQ_QUEUES={','.join(values['FLASKIQ_QUEUES'])} contradicts "
            f"CELERY['task_queues'], which has {','.join(queue_names(given))}: keep one of them"
        )


def _warn_short(name: str, seconds: Any, values: Mapping[str, Any]) -> None:
    hard = values["CELERY_TASK_TIME_LIMIT"]
    if isinstance(seconds, (int, float)) and hard and 0 < seconds < hard:
        logger.warning(
            "%s=%s is below task_time_limit=%s: a job may still run then", name, seconds, hard
        )
