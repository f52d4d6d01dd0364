"""The entries of ``beat_schedule``: those that Workers make, and what runs one of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import NAMESPACE_OID, uuid5

from celery.schedules import BaseSchedule, maybe_schedule

from flaskiq.cron.policy import Policy
from flaskiq.cron.schedule import CronSchedule
from flaskiq.errors import ArgumentError, RegistrationError
from flaskiq.message import CRON_HEADER
from flaskiq.moments import span
from flaskiq.store.catch import catching
from flaskiq.store.place import Placed

if TYPE_CHECKING:
    from celery import Celery

    from flaskiq.tenant import Tenancy, Tenant
    from flaskiq.worker import Worker

logger = logging.getLogger(__name__)


class Entry(NamedTuple):
    """One entry: what it enqueues, and when."""

    name: str
    task: str
    schedule: BaseSchedule
    args: Any
    kwargs: Any
    options: Mapping[str, Any]

    @classmethod
    def of(cls, celery: Celery, name: str, given: Mapping[str, Any]) -> Entry:
        """Read one value of ``beat_schedule``."""
        schedule: Any = maybe_schedule(given["schedule"], bool(given.get("relative")), app=celery)
        return cls(
            name,
            given["task"],
            schedule,
            given.get("args") or (),
            given.get("kwargs") or {},
            given.get("options") or {},
        )

    def job_id(self, slot: datetime) -> str:
        """The id of the job of a slot: the same, whoever enqueues it."""
        return str(uuid5(NAMESPACE_OID, f"{self.name} {slot.astimezone(timezone.utc).isoformat()}"))

    def publish(self, celery: Celery, job_id: str) -> None:
        """Enqueue the job now, as Celery's scheduler does.

        Raises:
            kombu.exceptions.OperationalError: Redis could not be reached.
        """
        options = {name: value for name, value in self.options.items() if name != "countdown"}
        headers = {**(options.pop("headers", None) or {}), "celery_beat_task": True}
        options["headers"] = {**headers, CRON_HEADER: self.name}
        options["task_id"] = job_id
        args, kwargs = _called(self.args), _called(self.kwargs)
        task = celery.tasks.get(self.task)
        if task is not None:
            task.apply_async(args, kwargs, **options)
        else:
            celery.send_task(self.task, args, kwargs, **options)

    def message(self, celery: Celery, job_id: str) -> Placed | None:
        """Return what would be published; None if that is not a message on a list.

        Then it has been published: to an exchange of many queues, or by a task that does it in
        another way.
        """
        with catching() as catch:
            self.publish(celery, job_id)
        return catch.jobs[0].placed if catch.jobs else None


def entries(celery: Celery) -> dict[str, Entry]:
    """The entries of an app, by name."""
    found = celery.conf.beat_schedule or {}
    return {name: Entry.of(celery, name, given) for name, given in found.items()}


def read_texts(celery: Celery) -> None:
    """Let entries of the settings have a cron expression as their schedule.

    Raises:
        DefinitionError: it is none.
    """
    found = celery.conf.beat_schedule or {}
    read = {
        name: {**given, "schedule": CronSchedule(given["schedule"])}
        for name, given in found.items()
        if isinstance(given.get("schedule"), str)
    }
    if read:
        celery.conf.beat_schedule = {**found, **read}


def _called(value: Any) -> Any:
    """Arguments that are to be made at each run (``celery.beat.BeatLazyFunc``)."""
    if callable(value):
        return value()
    if isinstance(value, (list, tuple)):
        return type(value)(_called(each) for each in value)
    if isinstance(value, Mapping):
        return {key: _called(each) for key, each in value.items()}
    return value


def add(celery: Celery, tenancy: Tenancy, worker: type[Worker]) -> None:
    """Put ``worker`` into ``beat_schedule``, once for each of its cron schedules."""
    if not worker.cron_schedule:
        return
    _check_arguments(worker)
    tenant = _tenant(tenancy, worker)
    expressions = worker.cron_schedule
    several = [expressions] if isinstance(expressions, str) else list(expressions)
    made = {}
    for expression in several:
        schedule = CronSchedule(expression, worker.cron_timezone, policy=_policy(worker))
        made[_name(worker.task_name(), expression, several)] = _entry(worker, schedule, tenant)
    # A new dict: Celery shares the default one between apps.
    celery.conf.beat_schedule = {**celery.conf.beat_schedule, **made}


def _name(task: str, expression: str, several: list[str]) -> str:
    return task if len(several) == 1 else f"{task} {' '.join(expression.split())}"


def _policy(worker: type[Worker]) -> Policy:
    return Policy(
        worker.cron_catch_up,
        worker.cron_catch_up_limit,
        worker.cron_overlap,
        span(worker.cron_jitter).total_seconds(),
    )


def _entry(worker: type[Worker], schedule: CronSchedule, tenant: Tenant) -> dict[str, Any]:
    entry: dict[str, Any] = {"task": worker.task_name(), "schedule": schedule}
    if worker.cron_args:
        entry["args"] = tuple(worker.cron_args)
    if worker.cron_kwargs:
        entry["kwargs"] = dict(worker.cron_kwargs)
    options: dict[str, Any] = {}
    if worker.expires is not None:
        options["expires"] = span(worker.expires).total_seconds()
    if tenant:
        options["headers"] = dict(tenant)
    if options:
        entry["options"] = options
    return entry


def _tenant(tenancy: Tenancy, worker: type[Worker]) -> Tenant:
    """On whose behalf the cron jobs of a Worker run.

    Raises:
        RegistrationError: on nobody's, and its jobs need a tenant.
    """
    try:
        tenant = tenancy.system if worker.cron_tenant is None else tenancy.of(worker.cron_tenant)
    except ArgumentError as error:
        raise RegistrationError(f"{worker.source()}: cron_tenant: {error}") from None
    if worker.tenant_required and tenancy.key not in tenant:
        raise RegistrationError(
            f"{worker.source()}: {worker.__name__} has tenant_required, and cron would enqueue it "
            f"without one; set cron_tenant = {{{tenancy.key!r}: ...}} or FLASKIQ_SYSTEM_TENANT"
        )
    return tenant


def _check_arguments(worker: type[Worker]) -> None:
    """A Worker may serve both ways, but the jobs of its schedule carry only its cron arguments."""
    try:
        worker.signature_check()(*worker.cron_args, **worker.cron_kwargs)
    except TypeError as error:
        has_any = worker.cron_args or worker.cron_kwargs
        logger.warning(
            "%s: cron enqueues %s %s, and %s; give them defaults, or set cron_args and cron_kwargs",
            worker.source(),
            worker.task_name(),
            "with other arguments" if has_any else "without arguments",
            error,
        )
