"""BaseTask: the base of function tasks that know their tenant."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from celery import Task
from celery.exceptions import SoftTimeLimitExceeded
from celery.utils.functional import head_from_fun

from flaskiq import current
from flaskiq.endings import Discard, Kill
from flaskiq.errors import TenantError
from flaskiq.tenancy.scope import get_db_session

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

logger = logging.getLogger(__name__)


class BaseTask(Task):  # type: ignore[type-arg] # generic in the stubs, not at run time
    """A function task that is retried, and that knows on whose behalf it runs.

    ::

        @celery_app.task(base=BaseTask)
        @with_tenant_context
        def count_test_sets(self, db=None): ...

        count_test_sets.delay(organization_id="7", user_id="9")

    Keyword arguments that are fields of the tenant, and no parameters of the function, go into
    headers of the message. Headers win over them.
    """

    abstract = True

    autoretry_for = (Exception,)
    dont_autoretry_for = (Discard, Kill, SoftTimeLimitExceeded, TenantError)
    max_retries = 3
    retry_backoff = True
    retry_backoff_max = 600
    default_retry_delay = 10
    track_started = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Celery makes it from a function; one without bind that wants ``self`` is given that by
        # with_tenant_context, and so the check of arguments must not ask for it.
        run = vars(cls).get("run")
        if isinstance(run, staticmethod) and next(iter(_names(run.__func__)), None) == "self":
            cls.__header__ = staticmethod(head_from_fun(run.__func__, bound=True))  # type: ignore[attr-defined]

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *positional: Any,
        headers: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Enqueue a job; keyword arguments that name its tenant become headers."""
        state = current.state_of(self.app)
        given = state.tenancy.named(kwargs or {}, self._parameters) if state else {}
        if state and given:
            tenant = state.tenancy.over(current.tenant_of(state), given)
            headers = {**state.tenancy.headers(tenant), **(headers or {})}
            kwargs = {name: value for name, value in (kwargs or {}).items() if name not in given}
        return super().apply_async(args, kwargs, *positional, headers=headers, **options)  # type: ignore[arg-type]

    def before_start(self, task_id: str, args: Any, kwargs: dict[str, Any]) -> None:
        """Take the tenant from the keyword arguments that a foreign producer has sent."""
        state = current.state_of(self.app)
        given = state.tenancy.named(kwargs, self._parameters) if state else {}
        for name in given:
            del kwargs[name]
        if state and given and not state.tenancy.is_named(self.request.headers or {}):
            tenant = state.tenancy.of(given)
            current.act_for(tenant)  # until the job ends: what is around it restores what was
            vars(self.request).update(tenant)
        super().before_start(task_id, args, kwargs)

    def get_db_session(self) -> AbstractContextManager[Session]:
        """Give a database session that works for the tenant of the job, in a ``with`` block."""
        return get_db_session()

    def get_tenant_context(self) -> tuple[str | None, ...]:
        """Return the fields of the tenant in order, by default organization and user."""
        tenant = current.tenant()
        return tuple(tenant.get(field) for field in current.state().tenancy.fields)

    def log_with_context(self, level: str, message: str, **facts: Any) -> None:
        """Log a message followed by ``[task_id=..., organization_id=..., user_id=...]``.

        ``level`` as ``"info"``; ``facts`` are added behind.
        """
        shown = {"task_id": self.request.id, **current.tenant(), **facts}
        pairs = ", ".join(f"{name}={value}" for name, value in shown.items())
        logger.log(logging.getLevelName(level.upper()), "%s [%s]", message, pairs)

    @cached_property
    def _parameters(self) -> frozenset[str]:
        return frozenset(_names(self.run))


def _names(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)
