"""The app of all tests. A test process has one, as any program has: Celery's ``@shared_task`` and
calls outside of an app context are meant for it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from flask import Flask

from shop import create_app, database


def with_empty_database(folder: str | Path) -> Flask:
    """Return the app; its database is a new one in a folder."""
    app = _app()
    app.config["DATABASE"] = Path(folder, "shop.db")
    database.create_tables(app)
    return app


@cache
def _app() -> Flask:
    return create_app(TESTING=True, DATABASE=":memory:")
