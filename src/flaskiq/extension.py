"""Flaskiq: the Flask extension, and the one place where the parts are joined."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakSet

from celery import Celery
from celery.signals import beat_init, celeryd_after_setup, import_modules
from celery.utils.imports import cwd_in_path
from werkzeug.local import LocalProxy

from flaskiq import current
from flaskiq.broker import amqp, fork, results
from flaskiq.broker import control as broker_control
from flaskiq.broker.connection import open_store
from flaskiq.client import Client
from flaskiq.cron import entry
from flaskiq.errors import ArgumentError, ContextError, SettingError, did_you_mean
from flaskiq.handlers import Handler, Handlers
from flaskiq.health import steps as health
from flaskiq.logs import celery_log
from flaskiq.metrics import step as metrics
from flaskiq.registry import WorkerRegistry, describe
from flaskiq.runtime import bootsteps, context, control, executor, pools, prefetch, program  # noqa: F401 - connect Celery's signals
from flaskiq.runtime.loops import shared
from flaskiq.runtime.task import adapt_limits, worker_task
from flaskiq.settings import Settings, kinds
from flaskiq.settings.kinds import resolve
from flaskiq.tenancy.after_commit import Transactions
from flaskiq.tenancy.sessions import Sessions
from flaskiq.tenant import Provider, Tenancy

if TYPE_CHECKING:
    from flask import Flask

    from flaskiq.job import Job
    from flaskiq.store.store import Store
    from flaskiq.worker import Worker

logger = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds that a push waits for an answer before Celery tries its own way."""

HandlerT = TypeVar("HandlerT", bound=Handler)


@dataclass(frozen=True, eq=False)
class AppState:
    """One Flask app's Flaskiq, kept as ``app.extensions["flaskiq"]``."""

    app: Flask
    celery: Celery
    settings: Settings
    registry: WorkerRegistry
    client: Client
    handlers: Handlers
    tenancy: Tenancy
    sessions: Sessions
    open_store: Callable[[], Store]

    @property
    def store(self) -> Store:
        """The broker's store, over one client of this process, opened when it is first used."""
        return self.open_store()

    def perform_inline(self, worker: type[Worker], job: Job) -> Any:
        """Run ``job`` in this process, as a worker would."""
        return executor.perform_inline(self.app, self.tenancy, worker, job)


class Flaskiq:
    """Background jobs for a Flask app.

    ::

        app = Flask(__name__)
        flaskiq = Flaskiq(app)           # or: flaskiq = Flaskiq(); flaskiq.init_app(app)
        celery_app = flaskiq.celery

    Several apps may live in one process, each with a Celery app of its own; the first becomes
    Celery's default app. An existing Celery app is adopted with ``Flaskiq(app, celery=existing)``:
    its own settings win over Flaskiq's defaults, and its tasks run in the app context too.

    ``dashboard="/jobs"`` serves the dashboard there (``docs/dashboard.md``).

    Settings: ``docs/settings.md``.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        celery: Celery | None = None,
        dashboard: str | None = None,
    ) -> None:
        self._states: WeakSet[AppState] = WeakSet()
        self._handlers = Handlers()
        self._dashboard = dashboard
        self._app = app  # or it could be collected within `Flaskiq(Flask("shop")).celery`
        if app is not None:
            self.init_app(app, celery=celery)

    def init_app(self, app: Flask, *, celery: Celery | None = None) -> None:
        """Read the settings of ``app`` and give it its Celery app.

        Raises:
            SettingError: a setting is unknown or has a value of the wrong kind.
            ContextError: the app has a Flaskiq already.
        """
        if current.EXTENSION in app.extensions:
            raise ContextError(f"the Flask app {app.name!r} has a Flaskiq already; make one only")
        settings = Settings.load(app, celery=celery)
        if celery is None:
            celery = Celery(app.name, set_as_current=False)
        amqp.install(celery)
        broker_control.install(celery)
        fork.install(celery)
        results.install(celery, settings.result_backend)
        bootsteps.install(celery)
        program.install(celery, settings)
        celery_log.install(celery)
        adapt_limits(celery)
        celery.conf.update(settings.celery_config())
        entry.read_texts(celery)
        shared.further[celery] = _further_loops(settings)
        if settings["HEALTH_PORT"]:
            health.install(celery)
        if settings["METRICS_PORT"]:
            metrics.install(celery)
        tenancy = _tenancy(settings)
        registry = WorkerRegistry(
            celery,
            settings.workers,
            required=settings.sources["FLASKIQ_WORKERS"] != "default",
            home=app.import_name,
            make_task=partial(worker_task, celery, curve=settings["FLASKIQ_RETRY_CURVE"]),
            on_register=partial(entry.add, celery, tenancy),
        )
        in_redis = cache(partial(open_store, celery, PATIENCE))

        def opened() -> Store:
            here = current.elsewhere.get()
            return in_redis() if here is None else here.store_of(celery)

        sessions = Sessions(app, settings)
        waits = settings["FLASKIQ_AFTER_COMMIT"]
        client = Client(celery, registry, opened, Transactions(sessions), after_commit=waits)
        state = AppState(
            app=app,
            celery=celery,
            settings=settings,
            registry=registry,
            client=client,
            handlers=self._handlers,
            tenancy=tenancy,
            sessions=sessions,
            open_store=opened,
        )
        self._states.add(state)
        app.extensions[current.EXTENSION] = state
        current.attach(celery, state)
        if current.remember(state):
            celery.set_default()
        if (here := current.elsewhere.get()) is not None:
            here.adopt(celery)
        self._mount_dashboard(app, settings)

    def _mount_dashboard(self, app: Flask, settings: Settings) -> None:
        prefix = self._dashboard or settings["FLASKIQ_DASHBOARD"]
        if prefix is None:
            return
        from flaskiq.web.dashboard import dashboard, guard  # most apps' workers need none of it

        guard.rule_of(settings)
        app.register_blueprint(dashboard, url_prefix=kinds.PREFIX.parse(prefix))

    @property
    def celery(self) -> Celery:
        """The Celery app of the current app, else of the only one this object was given."""
        states = list(self._states)  # one may be collected at any moment
        if len(states) == 1:
            return states[0].celery
        return current.state().celery

    def on_error(self, handler: HandlerT) -> HandlerT:
        """Call ``handler(job, error)`` after every attempt that failed, in its app context.

        A decorator. For plain tasks, too; not for :class:`Snooze` and discarded jobs.
        """
        self._handlers.error.append(handler)
        return handler

    def on_death(self, handler: HandlerT) -> HandlerT:
        """Call ``handler(job, error)`` when a job gives up, in its app context. A decorator."""
        self._handlers.death.append(handler)
        return handler


def _tenancy(settings: Settings) -> Tenancy:
    """Make what the settings say of tenants.

    Raises:
        SettingError: the system tenant has a field that is not declared, or no id.
    """
    fields = settings["FLASKIQ_TENANT_FIELDS"]
    for name in ("FLASKIQ_SYSTEM_TENANT", "FLASKIQ_TENANT_VARIABLES"):
        for field in settings[name]:
            if field not in fields:
                meant = did_you_mean(field, fields)
                raise SettingError(f"{name}: {field!r} is none of FLASKIQ_TENANT_FIELDS{meant}")
    try:
        return Tenancy(
            fields,
            provider=_provider(settings["FLASKIQ_CURRENT_USER"]),
            system=settings["FLASKIQ_SYSTEM_TENANT"],
        )
    except ArgumentError as error:
        raise SettingError(f"FLASKIQ_SYSTEM_TENANT: {error}") from None


def _provider(setting: Any) -> Provider | None:
    if setting is None:
        return None

    def user() -> Any:
        found = resolve("FLASKIQ_CURRENT_USER", setting)
        return found if isinstance(found, LocalProxy) else found()

    return user


@import_modules.connect(weak=False)
def _load_workers(sender: Celery, **_: Any) -> None:
    """Register before a worker or beat boots, for apps that do not call ``initialize``.

    Celery raises again what a receiver of this signal raises, so a broken module stops the start.
    """
    state = current.state_of(sender)
    if state is not None:
        with cwd_in_path():
            state.registry.load()


def _further_loops(settings: Settings) -> list[str]:
    loops = {
        "FLASKIQ_BEAT_IN_WORKER": "flaskiq.cron.loop:Beat",
        "FLASKIQ_CHORD_WATCH": "flaskiq.chord_watch:watch_of",
    }
    return [loop for setting, loop in loops.items() if settings[setting]]


def _log_workers(app: Celery) -> None:
    """Log the registry once logging is set up: at import time the lines go nowhere."""
    state = current.state_of(app)
    if state is not None:
        for worker in cast("AppState", state).registry.workers.values():
            logger.info("Worker %s", describe(worker))


@celeryd_after_setup.connect(weak=False)
def _worker_starts(instance: Any, **_: Any) -> None:
    _log_workers(instance.app)


@beat_init.connect(weak=False)
def _beat_starts(sender: Any, **_: Any) -> None:
    _log_workers(sender.app)
    health.watch(sender)
