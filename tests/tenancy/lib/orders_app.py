"""An application with Flask-SQLAlchemy whose transactions enqueue jobs."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flaskiq import Flaskiq, Worker, WorkerRegistry

app = Flask("orders")
app.config["FLASKIQ_WORKERS"] = ["orders_app"]
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
db = SQLAlchemy(app)
flaskiq = Flaskiq(app)
celery_app = flaskiq.celery


class Order(db.Model):  # type: ignore[name-defined,misc] # made at run time
    """What a transaction writes."""

    id = db.Column(db.Integer, primary_key=True)
    number = db.Column(db.Integer, nullable=False)


class Ship(Worker):
    """What it enqueues."""

    after_commit = True

    @classmethod
    def perform(cls, number: int) -> bool:
        """Whether the row is there."""
        return bool(db.session.query(Order).filter_by(number=number).count())


class Bill(Worker):
    """One that does not say."""

    @classmethod
    def perform(cls, number: int) -> None: ...


def order(number: int) -> Any:
    """Write a row."""
    db.session.add(Order(number=number))
    db.session.flush()


with app.app_context():  # other tests have apps in this process, too
    WorkerRegistry.initialize()
