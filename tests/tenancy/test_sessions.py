"""Sessions by themselves: hooks, those of Flask-SQLAlchemy, and what a fork leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from postgres import Postgres
from processes import Project
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from flaskiq import Flaskiq, SettingError, current, get_db_session

LIB = str(Path(__file__).parent / "lib")


@pytest.fixture
def make() -> Iterator[Any]:
    """Make an app with settings, its context pushed, and act for a tenant."""
    contexts = []

    def make(**settings: Any) -> Flask:
        app = Flask("sessions")
        app.config.update(FLASKIQ_WORKERS=[], **settings)
        Flaskiq(app)
        context = app.app_context()
        context.push()
        contexts.append((context, current.act_for(current.state().tenancy.of({"user_id": 3}))))
        return app

    yield make
    for context, token in contexts:
        current.cease(token)
        context.pop()


def test_the_hook_is_called_as_each_transaction_begins(make: Any, sqlite: Engine) -> None:
    calls = []

    def set_tenant(session: Session, tenant: Any) -> None:
        calls.append((tenant.user_id, session.execute(text("SELECT 1")).scalar()))

    make(FLASKIQ_SESSION=sessionmaker(sqlite), FLASKIQ_SET_TENANT=set_tenant)
    with get_db_session() as session:
        session.execute(text("SELECT 2"))
        with session.begin_nested():
            session.execute(text("SELECT 3"))
        session.commit()
        assert calls == [("3", 1)]
        session.execute(text("SELECT 4"))
    assert calls == [("3", 1), ("3", 1)]
    with Session(sqlite) as another:
        another.execute(text("SELECT 5"))
    assert len(calls) == 2, "other sessions are let be"


def test_a_session_that_is_in_use_is_left_open(make: Any, sqlite: Engine) -> None:
    calls = []
    scoped = scoped_session(sessionmaker(sqlite))
    make(
        FLASKIQ_SESSION=scoped,
        FLASKIQ_SET_TENANT=lambda session, tenant: calls.append(tenant.user_id),
    )
    scoped.execute(text("CREATE TABLE notes (id INTEGER)"))
    with get_db_session() as session:
        assert session is scoped()
        assert calls == ["3"]
        with get_db_session() as inner:
            assert inner is session
    assert scoped().in_transaction()
    scoped.commit()
    scoped.execute(text("SELECT * FROM notes"))
    assert calls == ["3"], "it works for nobody any more"
    scoped.remove()
    with pytest.raises(ValueError, match="on purpose"), get_db_session():
        raise ValueError("on purpose")
    assert not scoped().in_transaction()
    scoped.remove()


def test_a_setting_that_leads_nowhere(make: Any) -> None:
    make(FLASKIQ_SESSION="no.such.module:Session")
    with (
        pytest.raises(SettingError, match=r"FLASKIQ_SESSION = 'no.such.module:Session' cannot be"),
        get_db_session(),
    ):
        pass


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"FLASKIQ_TENANT_FIELDS": "id"}, "none that Celery uses"),
        ({"FLASKIQ_TENANT_FIELDS": "keys"}, "FLASKIQ_TENANT_FIELDS"),
        ({"FLASKIQ_TENANT_VARIABLES": "organization_id=app; DROP"}, "FLASKIQ_TENANT_VARIABLES"),
        ({"FLASKIQ_TENANT_VARIABLES": "organisation_id=app.x"}, "did you mean 'organization_id'"),
        ({"FLASKIQ_SYSTEM_TENANT": {"organization_id": object()}}, "FLASKIQ_SYSTEM_TENANT: "),
        ({"FLASKIQ_SESSION": "shop"}, "FLASKIQ_SESSION"),
    ],
)
def test_settings_that_are_wrong(settings: dict[str, Any], message: str) -> None:
    app = Flask("wrong")
    app.config.update(settings)
    with pytest.raises(SettingError, match=message):
        Flaskiq(app)


def test_flask_sqlalchemy(orders: ModuleType) -> None:
    db = orders.db
    with get_db_session() as session:
        assert session is db.session()
        orders.order(1)
        with get_db_session() as inner:
            assert inner is session
        session.commit()
        orders.order(2)
    assert db.session.query(orders.Order).count() == 1
    db.session.remove()


def test_a_fork_takes_no_connection_along(project: Project, postgres: Postgres) -> None:
    script = """
import os
from orders_app import app, db
from sqlalchemy import text

def backend():
    return db.session.execute(text("SELECT pg_backend_pid()")).scalar()

with app.app_context():
    parent = backend()
    db.session.remove()
    child = os.fork()
    if child == 0:
        with app.app_context():
            os._exit(0 if backend() != parent else 1)
    assert os.waitpid(child, 0)[1] == 0, "the child has the connection of its parent"
    assert backend() == parent
    db.session.remove()
    db.engine.dispose()
"""
    project.python(script, DATABASE_URL=postgres.url(), PYTHONPATH=LIB, PYTHONWARNINGS="ignore")
