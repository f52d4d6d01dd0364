"""The database session of a job: as a block, and as a decorator."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from celery import Task, current_task

from flaskiq import current

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

R = TypeVar("R")


@contextmanager
def get_db_session() -> Iterator[Session]:
    """Give a database session that works for the current tenant.

    ::

        with get_db_session() as db:
            db.add(Invoice(...))
            db.commit()

    It commits nothing by itself: what was not committed is rolled back, and the session is closed.

    Raises:
        SettingError: there is neither ``FLASKIQ_SESSION`` nor Flask-SQLAlchemy.
    """
    with current.state().sessions.session() as session:
        yield session


def with_tenant_context(function: Callable[..., R]) -> Callable[..., R]:
    """Pass a session of :func:`get_db_session` as the keyword ``db``; plain or ``async def``.

    For ``perform`` (below ``@classmethod``), for tasks with ``bind`` and without, and for functions
    that these call. A parameter ``self`` is the task, also without ``bind``. Who passes a ``db`` is
    left with it.
    """
    own = inspect.signature(function)
    wants_task = next(iter(own.parameters), None) == "self"

    def completed(args: tuple[Any, ...]) -> tuple[Any, ...]:
        if not wants_task or (args and isinstance(args[0], Task)):
            return args
        return (current_task._get_current_object(), *args)  # type: ignore[attr-defined] # noqa: SLF001 - a proxy of werkzeug's kind

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> R:
        if "db" in kwargs:
            return function(*completed(args), **kwargs)
        with get_db_session() as db:
            return function(*completed(args), db=db, **kwargs)

    @wraps(function)
    async def async_wrapper(*args: Any, **kwargs: Any) -> Any:
        if "db" in kwargs:
            return await function(*completed(args), **kwargs)  # type: ignore[misc] # it is async
        with get_db_session() as db:
            return await function(*completed(args), db=db, **kwargs)  # type: ignore[misc]

    found: Any = async_wrapper if inspect.iscoroutinefunction(function) else wrapper
    # What a caller may pass, for the check of arguments when a job is enqueued.
    found.__signature__ = own.replace(
        parameters=[each for name, each in own.parameters.items() if name != "db"]
    )
    return found  # type: ignore[no-any-return]
