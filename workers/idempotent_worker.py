"""A job that may run twice and still takes effect once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from flask import current_app

from flaskiq import Logger, Worker

_TABLES = (
    "CREATE TABLE IF NOT EXISTS processed (record_id INTEGER PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS ledger (record_id INTEGER, entered_at TEXT)",
)


class IdempotentWorker(Worker):
    """Enters a record into a ledger exactly once, however often its job is delivered.

    Delivery is at least once: after a crash a job runs again, and two processes may run it at the
    same time. Asking "done already?" and then working leaves a gap between the two. Here the
    marker and the effect are written in one transaction, marker first:

    - two runs at once: the second waits for the first, finds the marker and skips;
    - a crash before the commit: neither marker nor effect remains, the next run does the work;
    - a crash after the commit: the next run finds the marker and skips.

    This holds for effects in the database of the marker. An effect outside of it (a mail, a
    payment) needs the receiver's help: send it ``record_id`` as the idempotency key.
    """

    queue = "default"
    max_retries = 3

    @classmethod
    def perform(cls, record_id: int) -> bool:
        """Return whether this run did the work; False if an earlier one had."""
        with transaction() as database:
            first = mark_as_processed(database, record_id)
            if first:
                process_record(database, record_id)
        if not first:
            Logger.info(message=f"Record {record_id} already processed, skipping")
        return first


@contextmanager
def transaction() -> Iterator[sqlite3.Connection]:
    """Open the app's ledger; commit at the end of the block, roll back on an error."""
    path = Path(current_app.instance_path, "ledger.sqlite3")
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=30)) as database:
        for table in _TABLES:
            database.execute(table)
        with database:
            yield database


def mark_as_processed(database: sqlite3.Connection, record_id: int) -> bool:
    """Write the marker; return False if it is there already."""
    marked = database.execute("INSERT OR IGNORE INTO processed VALUES (?)", (record_id,))
    return marked.rowcount == 1


def process_record(database: sqlite3.Connection, record_id: int) -> None:
    database.execute("INSERT INTO ledger VALUES (?, datetime('now'))", (record_id,))
