"""An application whose rows belong to tenants, by row-level security of PostgreSQL."""

from __future__ import annotations

import json
import os
from typing import Any

import redis
from celery import Task
from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

from flaskiq import (
    BaseTask,
    Flaskiq,
    Worker,
    WorkerRegistry,
    current_job,
    current_tenant,
    get_db_session,
    with_tenant_context,
)

# One connection for each thread of a process: the next job on it follows at once.
engine = create_engine(os.environ["DATABASE_URL"], pool_size=1, max_overflow=3)
Session = sessionmaker(engine)

with engine.connect() as connection:  # as an app does that looks at its tables while it is imported
    connection.execute(text("SELECT 1"))

app = Flask("rls")
app.config["FLASKIQ_WORKERS"] = ["rls_app"]
app.config["FLASKIQ_SESSION"] = "rls_app:Session"
flaskiq = Flaskiq(app)
celery_app = flaskiq.celery

COUNT = text("SELECT count(*), min(organization_id), max(organization_id) FROM notes")


def tell(key: str, *facts: Any) -> None:
    """Write down something."""
    with redis.Redis.from_url(celery_app.conf.broker_url) as client:
        client.rpush(f"told:{key}", json.dumps(facts))


def count(db: Any) -> None:
    """Write down whose rows are seen, and how many."""
    (pid,) = db.execute(text("SELECT pg_backend_pid()")).one()
    tell("seen", current_tenant.organization_id, *db.execute(COUNT).one())
    tell("backends", os.getpid(), pid)


class Count(Worker):
    """Counts the rows that it sees; every third job once more, and every fifth enqueues another."""

    retry_backoff = False
    retry_delay = 0.01

    @classmethod
    @with_tenant_context
    def perform(cls, number: int, db: Any = None) -> None:
        count(db)
        if number % 5 == 0 and current_job.attempt == 1:
            Count.perform_async(number + 1_001)
        if number % 3 == 0 and current_job.attempt == 1:
            raise ValueError("again")


class Leaks(Worker):
    """Works outside of a session of its tenant, on whatever connection comes."""

    @classmethod
    def perform(cls) -> str:
        with engine.connect() as raw:
            setting = text("SELECT current_setting('app.current_organization', true)")
            return raw.execute(setting).scalar() or ""


class Writes(Worker):
    """Writes in two transactions, and maybe fails in the second."""

    max_retries = 0

    @classmethod
    def perform(cls, fails: bool) -> int:
        with get_db_session() as db:
            insert = text("INSERT INTO notes (organization_id) VALUES (:organization)")
            db.execute(insert, {"organization": current_tenant.organization_id})
            db.commit()
            db.execute(insert, {"organization": current_tenant.organization_id})
            seen = db.execute(COUNT).one()[0]
            if fails:
                raise ValueError("on purpose")
            db.commit()
            return int(seen)


class Trespasses(Worker):
    """Writes a row for another tenant."""

    max_retries = 0

    @classmethod
    @with_tenant_context
    def perform(cls, db: Any = None) -> None:
        db.execute(text("INSERT INTO notes (organization_id) VALUES ('far')"))
        db.commit()


class Nests(Worker):
    """Counts in two sessions at once, and for another tenant in between."""

    @classmethod
    @with_tenant_context
    def perform(cls, db: Any = None) -> list[Any]:
        outer = db.execute(COUNT).one()
        with get_db_session() as inner:
            inner.execute(text("INSERT INTO notes (organization_id) VALUES (:o)"), {"o": outer[1]})
            nested = inner.execute(COUNT).one()
        other = CountInline.set(tenant={"organization_id": "beta"}).perform_inline()
        return [list(outer), list(nested), other, list(db.execute(COUNT).one())]


class CountInline(Worker):
    """Returns what it sees."""

    @classmethod
    @with_tenant_context
    def perform(cls, db: Any = None) -> list[Any]:
        return list(db.execute(COUNT).one())


class CountAsync(Worker):
    """Returns what it sees, from a coroutine."""

    @classmethod
    @with_tenant_context
    async def perform(cls, db: Any = None) -> list[Any]:
        return list(db.execute(COUNT).one())


@celery_app.task(base=BaseTask)
@with_tenant_context
def count_unbound(self: Task, least: int, db: Any = None) -> list[Any]:
    """A task of the guide: ``self`` without ``bind``."""
    assert getattr(self.request, "organization_id", "beta") == current_tenant.organization_id
    return [least, *db.execute(COUNT).one()]


@celery_app.task(base=BaseTask, bind=True)
@with_tenant_context
def count_bound(self: Task, least: int, db: Any = None) -> list[Any]:
    """A task with ``bind``."""
    assert self.request.organization_id == current_tenant.organization_id
    return [least, *db.execute(COUNT).one()]


@celery_app.task(base=BaseTask)
@with_tenant_context
def count_plain(least: int, db: Any = None) -> list[Any]:
    """A task without ``self``, which calls another function with a session."""
    return [least, *_counted(), *_counted(db=db)]


@with_tenant_context
def _counted(db: Any = None) -> list[Any]:
    return list(db.execute(COUNT).one())


with app.app_context():  # other tests have apps in this process, too
    WorkerRegistry.initialize()
