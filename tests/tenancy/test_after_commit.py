"""Jobs that are enqueued when a transaction is committed, and never if it is rolled back."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from kombu.exceptions import OperationalError
from processes import Project
from redis import Redis
from servers import Server
from sqlalchemy import Engine, text
from sqlalchemy.orm import scoped_session, sessionmaker

from flaskiq import ArgumentError, Flaskiq, SettingError, Worker, get_db_session


@pytest.fixture
def enqueued(tenants_server: Server) -> Iterator[Any]:
    """What lies on the queue: the first argument of each job, in order."""
    with tenants_server.client() as client:
        yield lambda: [_argument(raw) for raw in reversed(client.lrange("default", 0, -1))]


def _argument(raw: str) -> Any:
    return json.loads(json.loads(raw)["body"])[0][0]


def test_commit_enqueues_and_rollback_does_not(orders: ModuleType, enqueued: Any) -> None:
    orders.order(1)
    job = orders.Ship.perform_async(1)
    assert job.id
    assert enqueued() == []
    orders.db.session.commit()
    assert enqueued() == [1]
    orders.order(2)
    orders.Ship.perform_async(2)
    orders.db.session.rollback()
    orders.order(3)
    orders.db.session.commit()
    assert enqueued() == [1]


def test_the_id_is_that_of_the_job(
    orders: ModuleType, enqueued: Any, tenants_server: Server
) -> None:
    orders.order(1)
    job = orders.Ship.perform_async(1)
    bulk = orders.Ship.perform_bulk([(2,), (3,)])
    orders.db.session.commit()
    with tenants_server.client() as client:
        messages = [json.loads(raw) for raw in reversed(client.lrange("default", 0, -1))]
    assert [each["headers"]["id"] for each in messages] == [job.id, *(each.id for each in bulk)]


def test_savepoints(orders: ModuleType, enqueued: Any) -> None:
    session = orders.db.session
    orders.Ship.perform_async(0)  # nothing is open yet
    assert enqueued() == [0]
    orders.order(1)
    with session.begin_nested():
        orders.order(2)
        orders.Ship.perform_async(2)
        dropped = session.begin_nested()
        orders.order(3)
        orders.Ship.perform_async(3)
        dropped.rollback()
        with session.begin_nested():
            orders.Ship.perform_async(4)
    assert enqueued() == [0]
    orders.Ship.perform_async(5)
    session.commit()
    assert sorted(enqueued()) == [0, 2, 4, 5]


def test_a_savepoint_in_a_transaction_that_is_rolled_back(
    orders: ModuleType, enqueued: Any
) -> None:
    orders.order(1)
    with orders.db.session.begin_nested():
        orders.Ship.perform_async(1)
    orders.db.session.rollback()
    assert enqueued() == []


def test_a_commit_with_a_savepoint_open(orders: ModuleType, enqueued: Any) -> None:
    orders.order(1)
    orders.db.session.begin_nested()
    orders.db.session.begin_nested()
    orders.Ship.perform_async(1)
    orders.db.session.commit()
    assert enqueued() == [1]


def test_a_session_that_is_closed_or_forgotten(orders: ModuleType, enqueued: Any) -> None:
    orders.order(1)
    orders.Ship.perform_async(1)
    orders.db.session.close()
    orders.order(1)
    orders.Ship.perform_async(1)
    orders.db.session.remove()
    orders.order(2)
    orders.db.session.commit()
    assert enqueued() == []


def test_a_statement_that_fails(orders: ModuleType, enqueued: Any) -> None:
    orders.order(1)
    orders.Ship.perform_async(1)
    with pytest.raises(Exception, match="no_such_table"):
        orders.db.session.execute(text("SELECT * FROM no_such_table"))
    orders.db.session.rollback()
    assert enqueued() == []


def test_call_and_worker_say_when(orders: ModuleType, enqueued: Any) -> None:
    orders.order(1)
    orders.Bill.perform_async(1)
    orders.Ship.set(after_commit=False).perform_async(2)
    assert enqueued() == [1, 2]
    orders.Bill.set(after_commit=True).perform_async(3)
    assert enqueued() == [1, 2]
    orders.db.session.commit()
    assert enqueued() == [1, 2, 3]


def test_a_thousand_transactions_agree_with_the_table(orders: ModuleType, enqueued: Any) -> None:
    chance, session = random.Random(7), orders.db.session
    for number in range(1_000):
        orders.order(number)
        if chance.random() < 0.3:
            nested = session.begin_nested()
            orders.order(10_000 + number)
            orders.Ship.perform_async(10_000 + number)
            nested.rollback() if chance.random() < 0.5 else nested.commit()
        if chance.random() < 0.3:
            orders.Ship.perform_bulk([(number,)])
        else:
            orders.Ship.perform_async(number)
        session.rollback() if chance.random() < 0.4 else session.commit()
    written = session.scalars(text('SELECT number FROM "order"')).all()
    assert sorted(enqueued()) == sorted(written)
    assert 500 < len(written) < 900


def test_the_job_finds_what_was_committed(orders: ModuleType, tenants_project: Project) -> None:
    worker = tenants_project.start(
        *("flaskiq", "worker", "start", "--pool=threads", "-c", "1"),
        FLASKIQ_APP="orders_app:celery_app",
        DATABASE_URL=orders.app.config["SQLALCHEMY_DATABASE_URI"],
    )
    worker.wait_for(" ready.")
    jobs = []
    for number in range(20):
        orders.db.session.add(orders.Order(number=number))
        jobs.append(orders.Ship.perform_async(number))
        orders.db.session.commit()
    assert [job.get(timeout=20) for job in jobs] == [True] * 20
    worker.end()


def test_redis_is_gone_when_the_transaction_is_committed(
    orders: ModuleType, durable: Server, caplog: pytest.LogCaptureFixture
) -> None:
    app = Flask("later")
    app.config.update(CELERY_BROKER_URL=durable.url, CELERY_RESULT_BACKEND=durable.url)
    app.config["FLASKIQ_WORKERS"] = []
    Flaskiq(app)
    session = orders.db.session()
    orders.order(1)
    with app.app_context():
        orders.Bill.set(after_commit=session).perform_async(1)
        orders.Bill.set(after_commit=session).perform_async(2)
    durable.kill()
    with pytest.raises(OperationalError):
        session.commit()
    assert caplog.text.count("The transaction is committed, but a job could not be enqueued") == 2
    assert orders.db.session.query(orders.Order).count() == 1
    orders.order(2)
    session.commit()
    assert orders.db.session.query(orders.Order).count() == 2, "the session can be used again"


class Plain(Worker):
    """A Worker of apps without Flask-SQLAlchemy."""

    @classmethod
    def perform(cls, number: int) -> None: ...


@pytest.fixture
def plain(tenants_server: Server) -> Any:
    """Make an app with a setting of how it makes sessions."""

    def make(session: Any, **settings: Any) -> Flask:
        app = Flask("plain")
        app.config.update(settings, FLASKIQ_SESSION=session, FLASKIQ_WORKERS=[])
        app.config.update(
            CELERY_BROKER_URL=tenants_server.url, CELERY_RESULT_BACKEND=tenants_server.url
        )
        Flaskiq(app)
        return app

    with tenants_server.client() as client:
        client.flushall()
    return make


def test_plain_sqlalchemy(plain: Any, enqueued: Any, sqlite: Engine) -> None:
    make = sessionmaker(sqlite)
    waits = Plain.set(after_commit=True)
    with plain(make).app_context():
        with get_db_session() as session:
            session.execute(text("SELECT 1"))
            waits.perform_async(1)
            assert enqueued() == []
            session.commit()
            assert enqueued() == [1]
            session.execute(text("SELECT 1"))
            waits.perform_async(2)
        assert enqueued() == [1], "the block has rolled back"
        with make() as by_hand, by_hand.begin():
            Plain.set(after_commit=by_hand).perform_async(3)
            assert enqueued() == [1]
        assert enqueued() == [1, 3]
        with pytest.raises(SettingError, match=r"set\(after_commit=session\)"):
            waits.perform_async(4)
        with pytest.raises(ArgumentError, match="after_commit must be True, False or a session"):
            Plain.set(after_commit="yes").perform_async(4)


def test_a_scoped_session(plain: Any, enqueued: Any, sqlite: Engine) -> None:
    scoped = scoped_session(sessionmaker(sqlite))
    with plain(scoped).app_context():
        Plain.set(after_commit=True).perform_async(0)
        assert enqueued() == [0], "no session is in use"
        scoped.execute(text("SELECT 1"))
        Plain.set(after_commit=True).perform_async(1)
        Plain.set(after_commit=scoped).perform_async(2)
        assert enqueued() == [0]
        scoped.commit()
        assert enqueued() == [0, 1, 2]
    scoped.remove()


def test_the_app_says_when(plain: Any, enqueued: Any, sqlite: Engine) -> None:
    scoped = scoped_session(sessionmaker(sqlite))
    app = plain(scoped, FLASKIQ_AFTER_COMMIT=True)
    later = app.extensions["flaskiq"].store.scheduled
    with app.app_context():
        scoped.execute(text("SELECT 1"))
        Plain.perform_async(1)
        Plain.perform_in(60, 2)
        Plain.set(after_commit=False).perform_async(3)
        assert (enqueued(), len(later)) == ([3], 0)
        scoped.commit()
        assert (enqueued(), len(later)) == ([3, 1], 1)
    scoped.remove()


def test_without_a_database(plain: Any, store: Redis) -> None:
    with (
        plain(None).app_context(),
        pytest.raises(SettingError, match="nothing that makes database sessions"),
    ):
        Plain.set(after_commit=True).perform_async(1)
