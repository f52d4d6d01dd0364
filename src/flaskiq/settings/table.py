"""The table of settings. A part that needs one more adds one row, and documents it by that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from flaskiq.settings import kinds
from flaskiq.settings.kinds import Kind, tidy

if TYPE_CHECKING:
    from flask import Flask

DAY = 86_400


@dataclass(frozen=True)
class Derived:
    """A default that follows from the app and from other settings; ``str()`` is its description.

    ``compute`` is given all that is set explicitly, and the defaults of the rows above its own.
    """

    text: str
    compute: Callable[[Flask, Mapping[str, Any]], Any]

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Setting:
    """One row: a key of the environment, of ``.env`` and of Flask config.

    ``celery`` is the Celery setting that it feeds; ``alias`` another name that is read.
    """

    name: str
    default: Any
    kind: Kind
    why: str
    celery: str | None = None
    alias: str | None = None

    def fall_back(self, app: Flask, values: Mapping[str, Any]) -> Any:
        """Return the default."""
        if isinstance(self.default, Derived):
            return self.default.compute(app, values)
        return self.default


def _follow_debug(app: Flask, _values: Mapping[str, Any]) -> str:
    return "development" if app.debug else "production"


def _follow_broker(_app: Flask, values: Mapping[str, Any]) -> str:
    return str(values["CELERY_BROKER_URL"])


def _follow_env(_app: Flask, values: Mapping[str, Any]) -> bool:
    return bool(values["FLASKIQ_ENV"] == "development")


def _follow_soft_limit(_app: Flask, values: Mapping[str, Any]) -> float:
    soft = values.get("CELERY_TASK_SOFT_TIME_LIMIT") or 0
    return tidy(max(1800, soft * 6 / 5))


def _follow_hard_limit(_app: Flask, values: Mapping[str, Any]) -> float | None:
    hard = values["CELERY_TASK_TIME_LIMIT"]
    return tidy(round(min(1500, hard * 5 / 6), 3)) if hard else None


def _outlive_parts(_app: Flask, values: Mapping[str, Any]) -> float | None:
    kept = values["CELERY_RESULT_EXPIRES"]
    hard = values["CELERY_TASK_TIME_LIMIT"] or DAY
    return tidy(max(kept, hard + DAY)) if kept else None


def _nothing(_app: Flask, _values: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType({})


def _usual_variables(_app: Flask, values: Mapping[str, Any]) -> Mapping[str, str]:
    usual = {"organization_id": "app.current_organization", "user_id": "app.current_user"}
    declared = values["FLASKIQ_TENANT_FIELDS"]
    return MappingProxyType({name: usual[name] for name in usual if name in declared})


TABLE: tuple[Setting, ...] = (
    Setting(
        "FLASKIQ_APP",
        None,
        kinds.TEXT,
        "The app that the flaskiq command loads, such as server:app (environment only).",
    ),
    Setting(
        "FLASKIQ_ENV",
        Derived("development if app.debug, else production", _follow_debug),
        kinds.one_of("production", "development"),
        "Where this runs; development sends the events that Flower shows.",
    ),
    Setting(
        "FLASKIQ_WORKERS",
        ("workers",),
        kinds.MODULES,
        "Packages whose modules hold the Workers; every module below them is imported.",
    ),
    Setting(
        "FLASKIQ_QUEUES",
        ("critical", "default", "low"),
        kinds.QUEUES,
        "The queues; the order is the order in which they are served.",
        celery="task_queues",
    ),
    Setting(
        "FLASKIQ_QUEUE_WEIGHTS",
        None,
        kinds.WEIGHTS,
        "How often each queue is served first; without it a queue waits until those before it are "
        "empty.",
    ),
    Setting(
        "FLASKIQ_HEARTBEAT_TTL",
        15,
        kinds.PERIOD,
        "Seconds without a heartbeat after which a process is dead and its jobs go to others.",
    ),
    Setting(
        "FLASKIQ_SHUTDOWN_TIMEOUT",
        25,
        kinds.PERIOD,
        "Seconds that a worker waits for running jobs after TERM, before it pushes them back.",
    ),
    Setting(
        "FLASKIQ_THREADS",
        1,
        kinds.COUNT,
        "Jobs that each process of the flaskiq pool runs at a time.",
    ),
    Setting(
        "FLASKIQ_SCHEDULER",
        "flaskiq",
        kinds.one_of("flaskiq", "celery"),
        "Who enqueues cron entries: Flaskiq's scheduler, of which any number may run, or Celery's.",
    ),
    Setting(
        "FLASKIQ_BEAT_IN_WORKER",
        False,
        kinds.BOOL,
        "Whether workers run the scheduler, too; one of all leads.",
    ),
    Setting(
        "FLASKIQ_LOG_FORMAT",
        "text",
        kinds.one_of("text", "json"),
        "The form of what a worker or a scheduler logs; CELERY_WORKER_LOG_FORMAT comes before.",
    ),
    Setting(
        "FLASKIQ_DASHBOARD",
        None,
        kinds.PREFIX,
        "Where the dashboard is served; nowhere without it.",
    ),
    Setting(
        "FLASKIQ_DASHBOARD_ACCESS",
        None,
        kinds.OBJECT,
        "Says what whoever asks may do in the dashboard, such as shop.users:may; it returns none, "
        "read, operate or the acts that are allowed. Without it nobody may, but in development.",
    ),
    Setting(
        "FLASKIQ_DASHBOARD_REDACT",
        None,
        kinds.OBJECT,
        "Returns what the dashboard may show in place of a value, such as shop.privacy:redact; it "
        "is told what it is, the value, and of which job.",
    ),
    Setting(
        "METRICS_PORT",
        None,
        kinds.PORT,
        "Where a worker answers Prometheus, and flaskiq metrics (9540 without it).",
    ),
    Setting(
        "METRICS_ADDRESS",
        "0.0.0.0",  # noqa: S104 - who sets a port wants to be scraped from elsewhere
        kinds.TEXT,
        "On which address: 127.0.0.1 for this machine only, :: for IPv6, too.",
    ),
    Setting(
        "FLASKIQ_CHORD_WATCH",
        30,
        kinds.SECONDS,
        "Seconds between two looks of the workers at chords that may be stuck; 0 for none.",
    ),
    Setting(
        "FLASKIQ_CHORD_RECOVER",
        False,
        kinds.BOOL,
        "Whether workers recover chords that are stuck, as `flaskiq chords recover` does.",
    ),
    Setting(
        "FLASKIQ_TENANT_FIELDS",
        ("organization_id", "user_id"),
        kinds.FIELDS,
        "What travels with each job: on whose behalf it runs. The first tells tenants apart.",
    ),
    Setting(
        "FLASKIQ_CURRENT_USER",
        None,
        kinds.OBJECT,
        "Returns the user of a request, such as flask_login:current_user: who it is for where "
        "flask.g does not say.",
    ),
    Setting(
        "FLASKIQ_SYSTEM_TENANT",
        Derived("{}", _nothing),
        kinds.TENANT,
        "The tenant of cron jobs, such as organization_id=system, unless a Worker has cron_tenant.",
    ),
    Setting(
        "FLASKIQ_SESSION",
        Derived("db.session of Flask-SQLAlchemy", lambda _app, _values: None),
        kinds.OBJECT,
        "Returns a session of SQLAlchemy, for jobs and for after_commit.",
    ),
    Setting(
        "FLASKIQ_TENANT_VARIABLES",
        Derived(
            "organization_id=app.current_organization,user_id=app.current_user", _usual_variables
        ),
        kinds.VARIABLES,
        "Settings of PostgreSQL that hold the fields of the tenant in each transaction of a job.",
    ),
    Setting(
        "FLASKIQ_SET_TENANT",
        None,
        kinds.OBJECT,
        "Called with session and tenant as each transaction of a job begins, in place of these.",
    ),
    Setting(
        "FLASKIQ_AFTER_COMMIT",
        False,
        kinds.BOOL,
        "Enqueue the jobs of Workers when the open database transaction is committed, or never.",
    ),
    Setting(
        "FLASKIQ_RETRY_CURVE",
        "exponential",
        kinds.one_of("exponential", "sidekiq"),
        "How waits grow where a Worker does not say it: full jitter, or Sidekiq's curve and 25 "
        "retries.",
    ),
    Setting(
        "FLASKIQ_DEAD_JOBS",
        10_000,
        kinds.COUNT,
        "Jobs that the dead set keeps; the oldest leave it first.",
    ),
    Setting(
        "FLASKIQ_DEAD_AGE",
        180 * DAY,
        kinds.PERIOD,
        "Seconds that a job is kept in the dead set.",
    ),
    Setting(
        "FLASKIQ_HISTORY_JOBS",
        1_000,
        kinds.WHOLE,
        "Finished jobs that are remembered, so that one can be found by its id; 0 for none.",
    ),
    Setting(
        "FLASKIQ_HISTORY_AGE",
        DAY,
        kinds.PERIOD,
        "Seconds that a finished job is remembered.",
    ),
    Setting(
        "CELERY_BROKER_URL",
        "redis://localhost:6379/0",
        kinds.BROKER,
        "The Redis or Valkey that holds the queues.",
        celery="broker_url",
        alias="BROKER_URL",
    ),
    Setting(
        "CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP",
        True,
        kinds.BOOL,
        "Let a worker that starts before Redis wait for it; false ends it.",
        celery="broker_connection_retry_on_startup",
    ),
    Setting(
        "CELERY_RESULT_BACKEND",
        Derived("the broker URL", _follow_broker),
        kinds.RESULTS,
        "Where results are kept; disabled:// or an empty value keeps none.",
        celery="result_backend",
        alias="RESULT_BACKEND",
    ),
    Setting(
        "CELERY_RESULT_EXPIRES",
        3600,
        kinds.SECONDS,
        "Seconds that a result is kept; 0 keeps it for ever.",
        celery="result_expires",
    ),
    Setting(
        "CELERY_TASK_TIME_LIMIT",
        Derived("1800, or 6/5 of a soft limit above 1500", _follow_soft_limit),
        kinds.SECONDS,
        "Seconds after which the process of a job is killed; 0 for never.",
        celery="task_time_limit",
    ),
    Setting(
        "CELERY_TASK_SOFT_TIME_LIMIT",
        Derived("1500, or 5/6 of a hard limit below 1800; none without one", _follow_hard_limit),
        kinds.SECONDS,
        "Seconds after which SoftTimeLimitExceeded is raised in a job, so that it can clean up.",
        celery="task_soft_time_limit",
    ),
    Setting(
        "CELERY_RESULT_CHORD_EXPIRES",
        Derived("hard time limit + 86400, at least CELERY_RESULT_EXPIRES", _outlive_parts),
        kinds.SECONDS,
        "Seconds that a chord's counter is kept: an expired counter never starts the callback.",
        celery="result_chord_expires",
    ),
    Setting(
        "CELERY_TASK_IGNORE_RESULT",
        False,
        kinds.BOOL,
        "Keep no result unless a Worker says ignore_result = False.",
        celery="task_ignore_result",
    ),
    Setting(
        "CELERY_WORKER_CONCURRENCY",
        None,
        kinds.PROCESSES,
        "Jobs that one worker runs at a time; by default one per CPU.",
        celery="worker_concurrency",
    ),
    Setting(
        "CELERY_WORKER_PREFETCH_MULTIPLIER",
        1,
        kinds.AHEAD,
        "Jobs that a worker holds for each that it runs; unless it is 1, the order of the queues "
        "holds per fetch only.",
        celery="worker_prefetch_multiplier",
    ),
    Setting(
        "CELERY_WORKER_MAX_TASKS_PER_CHILD",
        1000,
        kinds.COUNT,
        "Jobs after which a process is replaced, so that leaked memory comes back.",
        celery="worker_max_tasks_per_child",
    ),
    Setting(
        "CELERY_WORKER_DISABLE_RATE_LIMITS",
        False,
        kinds.BOOL,
        "Run tasks as often as they come, whatever rate_limit they have.",
        celery="worker_disable_rate_limits",
    ),
    Setting(
        "CELERY_WORKER_LOGLEVEL",
        None,
        kinds.LEVEL,
        "What a worker logs, from this level on; by default info, and warning with celery worker.",
    ),
    Setting(
        "CELERY_WORKER_LOG_FORMAT",
        None,
        kinds.LOG_FORMAT,
        "The form of a line in a worker's log; by default Celery's, and what became of the job.",
        celery="worker_log_format",
    ),
    Setting(
        "CELERY_WORKER_LOG_COLOR",
        True,
        kinds.BOOL_OR_NONE,
        "Colours in a worker's log where it goes to a terminal.",
        celery="worker_log_color",
    ),
    Setting(
        "CELERY_WORKER_HIJACK_ROOT_LOGGER",
        True,
        kinds.BOOL,
        "Let a worker replace the handlers of the root logger: all its lines have one form.",
        celery="worker_hijack_root_logger",
    ),
    Setting(
        "CELERY_WORKER_OPTS",
        None,
        kinds.OPTIONS,
        "Further options of celery worker, such as --without-gossip; those of the command line "
        "come before.",
    ),
    Setting(
        "CELERY_WORKER_SEND_TASK_EVENTS",
        Derived("true in development, else false", _follow_env),
        kinds.BOOL,
        "Send the events that Flower shows.",
        celery="worker_send_task_events",
    ),
    Setting(
        "CELERY_TASK_SEND_SENT_EVENT",
        Derived("true in development, else false", _follow_env),
        kinds.BOOL,
        "Send an event when a job is enqueued, too.",
        celery="task_send_sent_event",
    ),
    Setting(
        "FLOWER_URL",
        None,
        kinds.TEXT,
        "Where Flower is found; the dashboard leads there while it runs.",
    ),
    Setting(
        "ENABLE_FLOWER",
        Derived("true in development, else false", _follow_env),
        kinds.BOOL,
        "Run Flower with flaskiq dev.",
    ),
    Setting(
        "HEALTH_PORT",
        None,
        kinds.PORT,
        "Where a worker or a scheduler tells over HTTP how it is; nowhere without it.",
    ),
    Setting(
        "HEALTH_ADDRESS",
        "0.0.0.0",  # noqa: S104 - the probes of Kubernetes come from outside of the pod
        kinds.TEXT,
        "The address that it listens on: 127.0.0.1 for this machine only, :: for IPv6, too.",
    ),
    Setting(
        "HEALTH_TOKEN",
        None,
        kinds.TEXT,
        "Whoever knows it may read /debug from elsewhere than this machine; without it nobody may.",
    ),
    Setting(
        "CELERY_TIMEZONE",
        "UTC",
        kinds.ZONE,
        "The zone of schedules that name none; messages hold UTC in any case.",
        celery="timezone",
    ),
    Setting(
        "CELERY",
        Derived("{}", _nothing),
        kinds.CELERY,
        "Further Celery settings, a dict of lower-case names; in Flask config only.",
    ),
)

NAMES = frozenset(name for row in TABLE for name in (row.name, row.alias) if name)
