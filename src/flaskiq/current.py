"""What is current: the app whose Flaskiq a call belongs to, and the job that is running.

Everything above the running side reaches the client through here, never by import.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, cast
from weakref import ReferenceType, ref

from flask import current_app, has_app_context
from werkzeug.local import LocalProxy

from flaskiq.errors import ArgumentError, ContextError

if TYPE_CHECKING:
    from celery import Celery, Task
    from celery.result import AsyncResult
    from flask import Flask

    from flaskiq.handlers import Handlers
    from flaskiq.job import Job
    from flaskiq.settings import Settings
    from flaskiq.store.store import Store
    from flaskiq.tenant import Tenancy, Tenant
    from flaskiq.worker import Worker

EXTENSION = "flaskiq"
"""The key of an app's Flaskiq in ``app.extensions``."""


class Pushes(Protocol):
    """What a Worker needs of the client."""

    def push(
        self, worker: type[Worker], jobs: Sequence[Job], *, after_commit: Any = False
    ) -> Sequence[AsyncResult[Any]]: ...


class Registers(Protocol):
    """What a Worker needs of the registry."""

    def load(self) -> None: ...
    def task_of(self, worker: type[Worker]) -> Task[..., Any]: ...


class State(Protocol):
    """One Flask app's Flaskiq."""

    @property
    def app(self) -> Flask: ...
    @property
    def celery(self) -> Celery: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def client(self) -> Pushes: ...
    @property
    def registry(self) -> Registers: ...
    @property
    def handlers(self) -> Handlers: ...
    @property
    def tenancy(self) -> Tenancy: ...
    @property
    def store(self) -> Store: ...
    @property
    def sessions(self) -> Any: ...
    def perform_inline(self, worker: type[Worker], job: Job) -> Any: ...


class Collects(Protocol):
    """What takes the jobs that are enqueued within a block."""

    def collect(self, worker: type[Worker], jobs: Sequence[Job]) -> None: ...


collecting: ContextVar[Collects | None] = ContextVar("flaskiq.collecting", default=None)
"""Who takes the jobs that are enqueued here, None for Redis."""


class Elsewhere(Protocol):
    """Where the jobs of a context live, if not in the Redis of their app (``flaskiq.testing``)."""

    def adopt(self, celery: Celery) -> None:
        """Take the jobs of an app from now on."""

    def store_of(self, celery: Celery) -> Store:
        """The store of an app."""

    def act(self) -> None:
        """Hear that something may have been enqueued."""


elsewhere: ContextVar[Elsewhere | None] = ContextVar("flaskiq.elsewhere", default=None)
"""Where the jobs of this context live, None for Redis."""

_states: list[ReferenceType[State]] = []


def states() -> list[State]:
    """Return the Flaskiq of each app of this process."""
    found = []
    for reference in _states[:]:
        state = reference()
        if state is not None:
            found.append(state)
    return found


def remember(state: State) -> bool:
    """Note a new app; return whether it is the first of this process."""
    first = not states()
    _states.append(ref(state, _states.remove))
    return first


def attach(celery: Celery, state: State) -> None:
    """Let Celery's signals find ``state``; a plain attribute, so that both can be collected."""
    celery.flaskiq_state = state  # type: ignore[attr-defined]


def state_of(celery: Celery) -> State | None:
    """Return what :func:`attach` noted on a Celery app."""
    return getattr(celery, "flaskiq_state", None)


def count() -> int:
    """How many apps of this process have a Flaskiq."""
    return len(states())


def enqueued() -> None:
    """Tell whoever keeps the jobs of this context elsewhere that there may be new ones."""
    here = elsewhere.get()
    if here is not None:
        here.act()


def state() -> State:
    """Return the Flaskiq of the current app context, else the only one of this process.

    Raises:
        ContextError: there is none, or there are several and none is current.
    """
    if has_app_context():
        found = current_app.extensions.get(EXTENSION)
        if found is None:
            raise ContextError(
                f"the Flask app {current_app.name!r} has no Flaskiq; add `Flaskiq(app)` to it"
            )
        return cast("State", found)
    references = _states[:]  # nearly always one: quicker than a list of those that live
    if len(references) == 1 and (only := references[0]()) is not None:
        return only
    known = states()
    if len(known) == 1:
        return known[0]
    if not known:
        raise ContextError(
            "no Flask app has a Flaskiq yet; import the module that calls `Flaskiq(app)` first"
        )
    names = ", ".join(sorted(each.app.name for each in known))
    raise ContextError(
        f"{len(known)} Flask apps have a Flaskiq ({names}) and none is current; "
        "call this inside `with app.app_context():`"
    )


AS_OF = 1.0
"""Seconds for which a job believes that it was not cancelled."""


class Host(Protocol):
    """What runs a job, and others of its task."""

    def shown(self, headers: Mapping[str, Any]) -> Mapping[str, Any]:
        """Those headers of its message that concern an application."""

    def report(self, progress: dict[str, Any]) -> None:
        """Show how far it has come."""

    def is_cancelled(self, job_id: str) -> bool:
        """Whether somebody has cancelled it."""


@dataclass
class CurrentJob:
    """The job that runs here and now. Not frozen: that costs each job as much as all of its fields.

    ``worker`` is the task name, ``attempt`` counts from 1, ``queue`` is None for an inline call.
    """

    id: str
    worker: str
    queue: str | None
    attempt: int
    _host: Host = field(repr=False)
    _headers: Mapping[str, Any] = field(repr=False)
    _was_cancelled: bool = field(default=False, init=False, repr=False)
    _asked_at: float = field(default=-AS_OF, init=False, repr=False)

    @property
    def headers(self) -> Mapping[str, Any]:
        """The headers of its message that concern an application."""
        return self._host.shown(self._headers)

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody has cancelled the job meanwhile; a long one may look now and then.

        Redis is asked at most once a second.
        """
        if not self._was_cancelled and monotonic() - self._asked_at >= AS_OF:
            self._asked_at = monotonic()
            self._was_cancelled = self._host.is_cancelled(self.id)
        return self._was_cancelled

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Say how far the job has come; readers see it as state ``PROGRESS`` of its result.

        ``total`` None means that the end is not known.

        Raises:
            ArgumentError: ``done`` or ``total`` is not a number of at least 0.
        """
        for name, value in (("done", done), ("total", total)):
            if value is None and name == "total":
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
                raise ArgumentError(f"progress: {name} must be a number from 0 on, not {value!r}")
        self._host.report({"done": done, "total": total, "note": str(note)})


_running: ContextVar[CurrentJob] = ContextVar("flaskiq.current_job")

current_job: CurrentJob = LocalProxy(  # type: ignore[assignment]
    _running,
    unbound_message=(
        "no job is running here; flaskiq.current_job is there inside perform "
        "(test `if current_job:` where code is shared with other callers)"
    ),
)
"""The job that is running; false outside of ``perform``."""


_acting_for: ContextVar[Tenant | None] = ContextVar("flaskiq.current_tenant", default=None)


def tenant() -> Tenant:
    """Return on whose behalf this code runs: its job's tenant, else what Flask knows.

    Raises:
        ContextError: there is no app whose Flaskiq could tell.
        ArgumentError: ``flask.g`` or the user holds something that is no id.
    """
    acting_for = _acting_for.get()
    return acting_for or tenant_of(state())


def tenant_of(found: State) -> Tenant:
    """Return the same for one app."""
    acting_for = _acting_for.get()
    return acting_for or found.tenancy.of_flask(asks_user=acting_for is None)


current_tenant: Tenant = LocalProxy(tenant)  # type: ignore[assignment]
"""On whose behalf this code runs; false if on nobody's."""


def begin(job: CurrentJob, tenant: Tenant) -> tuple[Token[CurrentJob], Token[Tenant | None]]:
    """Make a job the current one, for its tenant, until :func:`end` is given what this returns."""
    return _running.set(job), _acting_for.set(tenant)


def end(tokens: tuple[Token[CurrentJob], Token[Tenant | None]]) -> None:
    """Make current again what was so before."""
    _running.reset(tokens[0])
    _acting_for.reset(tokens[1])


def act_for(tenant: Tenant | None) -> Token[Tenant | None]:
    """Let this code run on behalf of ``tenant`` until :func:`cease` is given what this returns.

    None is for code that runs in no job.
    """
    return _acting_for.set(tenant)


def cease(token: Token[Tenant | None]) -> None:
    """Undo :func:`act_for`."""
    _acting_for.reset(token)


def acting_for() -> Tenant | None:
    """Return the tenant of the job that runs here, None outside of jobs."""
    return _acting_for.get()


def running() -> CurrentJob | None:
    """Return the job that runs here, None outside of jobs."""
    return _running.get(None)
