"""Sessions: those of SQLAlchemy in which a job works, each of them for one tenant.

The tenant is in settings of PostgreSQL, for row-level security to compare with. They are written as
each transaction begins and end with it, so that no connection takes a tenant into the next job.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet

from flaskiq import current
from flaskiq.errors import SettingError
from flaskiq.settings.kinds import resolve

if TYPE_CHECKING:
    from flask import Flask
    from sqlalchemy import Connection, Engine
    from sqlalchemy.orm import Session, SessionTransaction

    from flaskiq.settings import Settings
    from flaskiq.tenant import Tenant

BOUND = "flaskiq_tenant"
"""The key in ``Session.info`` of whom a session works for."""

SetTenant = Callable[[Any, Any], Any]

_open: ContextVar[tuple[Session, ...]] = ContextVar("flaskiq.sessions", default=())
"""The sessions whose blocks run here, the innermost last."""

_every: WeakSet[Sessions] = WeakSet()


class Bound(NamedTuple):
    """Whom a session works for, and how its database hears of it."""

    tenant: Tenant
    variables: Mapping[str, str]
    set_tenant: SetTenant | None

    def begin(self, session: Session) -> None:
        """Tell at the beginning of a transaction."""
        if self.set_tenant is not None:
            self.set_tenant(session, self.tenant)

    def connect(self, connection: Connection) -> None:
        """Tell a connection that has come to a transaction; other databases have no such thing."""
        if self.set_tenant is None and self.variables and connection.dialect.name == "postgresql":
            statement, fields = _statement(tuple(self.variables.items()))
            values = {field: self.tenant.get(field, "") for field in fields}
            connection.execute(statement, values)


@cache
def _statement(variables: tuple[tuple[str, str], ...]) -> tuple[Any, list[str]]:
    from sqlalchemy import text

    # The third argument: until the end of the transaction.
    calls = [f"set_config('{name}', :{field}, true)" for field, name in variables]
    return text(f"SELECT {', '.join(calls)}"), [field for field, _ in variables]


class Sessions:
    """Makes the sessions of one app."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app, self._settings = app, settings
        _every.add(self)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Give a session that works for the current tenant.

        What was not committed is rolled back, and the session is closed, unless somebody outside
        of this block is using it already: a ``scoped_session``, as that of Flask-SQLAlchemy, is
        the same in nested blocks.

        Raises:
            SettingError: there is nothing that makes sessions, or it makes none for this tenant.
        """
        _listen()
        bound = Bound(
            current.tenant(),
            self._settings["FLASKIQ_TENANT_VARIABLES"],
            resolve("FLASKIQ_SET_TENANT", self._settings["FLASKIQ_SET_TENANT"]),
        )
        session = self._session_for(bound.tenant)
        token = _open.set((*_open.get(), session))
        try:
            if BOUND in session.info:
                yield session
            else:
                with _working_for(bound, session):
                    yield session
        finally:
            _open.reset(token)

    def current(self) -> Session | None:
        """Return the session that is in use here, None if there is none.

        Raises:
            SettingError: nobody can know.
        """
        if _open.get():
            return _open.get()[-1]
        registry = getattr(self._make, "registry", None)
        if registry is None:
            raise SettingError(
                "after_commit cannot know the session in use: FLASKIQ_SESSION is no "
                "scoped_session; pass it, set(after_commit=session), or work in get_db_session()"
            )
        return registry() if registry.has() else None

    def dispose(self) -> None:
        """Forget all connections, which belong to the process that this one was forked from."""
        for engine in self._engines():
            engine.dispose(close=False)

    def _session_for(self, tenant: Tenant) -> Session:
        session: Session = self._make()
        bound: Bound | None = session.info.get(BOUND)
        if bound is not None and bound.tenant != tenant:
            # A job for another tenant in the midst of this one: perform_inline.
            factory = getattr(self._make, "session_factory", None)
            if factory is None:
                raise SettingError(
                    "FLASKIQ_SESSION gives a session that works for another tenant; "
                    "let it make a new one, or be a scoped_session"
                )
            session = factory()
        return session

    @cached_property
    def _make(self) -> Any:
        """The function that makes sessions."""
        setting = self._settings["FLASKIQ_SESSION"]
        if setting is not None:
            return resolve("FLASKIQ_SESSION", setting)
        extension = self._app.extensions.get("sqlalchemy")
        if extension is None:
            raise SettingError(
                "there is nothing that makes database sessions: set FLASKIQ_SESSION, such as "
                "shop.database:Session (a sessionmaker or scoped_session), or use Flask-SQLAlchemy"
            )
        return extension.session

    def _engines(self) -> list[Engine]:
        """The engines that this process may have used, as far as they can be known."""
        extension = self._app.extensions.get("sqlalchemy")
        # Its ``engines`` want an app context, which would run all that waits for the end of one.
        known = getattr(extension, "_app_engines", {}).get(self._app, {})
        engines = list(known.values())
        setting = self._settings["FLASKIQ_SESSION"]
        module = setting.partition(":")[0] if isinstance(setting, str) else None
        if setting is None or (module and module not in sys.modules):
            return engines
        factory = getattr(self._make, "session_factory", self._make)  # of a scoped_session
        options = getattr(factory, "kw", {})  # of a sessionmaker
        binds = [options.get("bind"), *(options.get("binds") or {}).values()]
        return [*engines, *(bind.engine for bind in binds if bind is not None)]


@contextmanager
def _working_for(bound: Bound, session: Session) -> Iterator[None]:
    is_in_use = session.in_transaction()
    session.info[BOUND] = bound
    try:
        if is_in_use:
            bound.begin(session)
            bound.connect(session.connection())
        yield
    except BaseException:
        if not is_in_use:
            session.rollback()
        raise
    finally:
        del session.info[BOUND]
        if not is_in_use:
            session.close()


@cache
def _listen() -> None:
    """Hear of the transactions of all sessions; those that are not :data:`BOUND` are let be."""
    from sqlalchemy import event
    from sqlalchemy.orm import Session

    event.listen(Session, "after_transaction_create", _begins)
    event.listen(Session, "after_begin", _connects)


def _begins(session: Session, transaction: SessionTransaction) -> None:
    bound = session.info.get(BOUND)
    if bound is not None and transaction.parent is None:
        bound.begin(session)


def _connects(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    bound = session.info.get(BOUND)
    if bound is not None and transaction.parent is None:
        bound.connect(connection)


def _forget_connections() -> None:
    if "sqlalchemy" in sys.modules:
        for sessions in list(_every):
            sessions.dispose()


os.register_at_fork(after_in_child=_forget_connections)
