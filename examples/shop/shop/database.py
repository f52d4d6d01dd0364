"""The database: one connection for each app context, so each request and each job has its own."""

from __future__ import annotations

import sqlite3
from typing import Any

from flask import Flask, current_app, g

SCHEMA = """
CREATE TABLE IF NOT EXISTS customers (id INTEGER PRIMARY KEY, email TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, sku TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS products (
    sku TEXT PRIMARY KEY, price INTEGER NOT NULL, published INTEGER NOT NULL DEFAULT 0
);
"""


class NotFoundError(Exception):
    """There is no such row, or it was deleted meanwhile."""


def init_app(app: Flask) -> None:
    """Create the tables, and close each connection with its app context."""
    app.teardown_appcontext(_close)
    create_tables(app)


def create_tables(app: Flask) -> None:
    """Create the tables that are not there yet."""
    with app.app_context():
        _connection().executescript(SCHEMA)


def write(statement: str, *values: Any) -> int:
    """Run a statement, commit it, and return the id of the row that it inserted."""
    with _connection() as connection:
        return int(connection.execute(statement, values).lastrowid or 0)


def rows(query: str, *values: Any) -> list[sqlite3.Row]:
    """Return what a query finds."""
    return _connection().execute(query, values).fetchall()


def row(query: str, *values: Any) -> sqlite3.Row:
    """Return the one row that a query finds.

    Raises:
        NotFoundError: it finds none.
    """
    for found in rows(query, *values):
        return found
    raise NotFoundError(f"{query} {values}")


def _connection() -> sqlite3.Connection:
    if "connection" not in g:
        g.connection = sqlite3.connect(current_app.config["DATABASE"])
        g.connection.row_factory = sqlite3.Row
    connection: sqlite3.Connection = g.connection
    return connection


def _close(_: BaseException | None) -> None:
    if "connection" in g:
        g.pop("connection").close()
