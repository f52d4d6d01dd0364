"""Transactions: what is enqueued when one is committed, and never if it is rolled back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from flaskiq.errors import ArgumentError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, SessionTransaction

    from flaskiq.tenancy.sessions import Sessions

logger = logging.getLogger(__name__)

Push = Callable[[], Any]

_WAITING = "flaskiq_after_commit"
"""The key in ``Session.info`` of what waits for which of its transactions."""


class Waiting:
    """What waits for the transactions of one session.

    A savepoint that is released hands on to the transaction around it: only the outermost commit
    is one.
    """

    def __init__(self) -> None:
        self._pushes: dict[SessionTransaction, list[Push]] = {}
        self._committed: set[SessionTransaction] = set()

    def add(self, transaction: SessionTransaction, push: Push) -> None:
        """Push when a transaction is committed."""
        self._pushes.setdefault(transaction, []).append(push)

    def commit(self, transaction: SessionTransaction) -> None:
        """Note that a transaction has been committed; it ends next."""
        self._committed.add(transaction)

    def end(self, transaction: SessionTransaction) -> list[Push]:
        """Return what is to be pushed now that a transaction has ended."""
        pushes = self._pushes.pop(transaction, [])
        is_committed = transaction in self._committed
        self._committed.discard(transaction)
        if not is_committed:
            return []
        if transaction.parent is None:
            return pushes
        if pushes:
            self._pushes.setdefault(transaction.parent, []).extend(pushes)
        return []


class Transactions:
    """The database transactions of one app."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def add(self, transaction_of: Any, push: Push) -> bool:
        """Push when a transaction is committed; False if there is none that is open.

        Args:
            transaction_of: a session, or True for the one that is in use here.

        Raises:
            SettingError: nobody can know which that is.
            ArgumentError: it is something else.
        """
        session = self._sessions.current() if transaction_of is True else transaction_of
        if session is None:
            return False
        _listen()
        session = _checked(session)
        transaction = session.get_nested_transaction() or session.get_transaction()
        if transaction is None:
            return False
        session.info.setdefault(_WAITING, Waiting()).add(transaction, push)
        return True


def _checked(session: Any) -> Session:
    from sqlalchemy.orm import Session, scoped_session

    if isinstance(session, scoped_session):
        session = session()
    if not isinstance(session, Session):
        raise ArgumentError(f"after_commit must be True, False or a session, not {session!r}")
    return session


@cache
def _listen() -> None:
    from sqlalchemy import event
    from sqlalchemy.orm import Session

    event.listen(Session, "after_commit", _has_committed)
    event.listen(Session, "after_transaction_end", _has_ended)


def _has_committed(session: Session) -> None:
    waiting: Waiting | None = session.info.get(_WAITING)
    transaction = session.get_nested_transaction() or session.get_transaction()
    if waiting is not None and transaction is not None:
        waiting.commit(transaction)


def _has_ended(session: Session, transaction: SessionTransaction) -> None:
    waiting: Waiting | None = session.info.get(_WAITING)
    if waiting is None:
        return
    failed: Exception | None = None
    for push in waiting.end(transaction):
        try:
            push()
        except Exception as error:  # noqa: PERF203 - the others are to be pushed, too
            logger.exception("The transaction is committed, but a job could not be enqueued")
            failed = failed or error
    if failed is not None:
        raise failed
