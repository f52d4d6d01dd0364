"""task_launcher: enqueues a Worker or a task for the user of a request."""

from __future__ import annotations

import inspect
from typing import Any

from celery.result import AsyncResult

from flaskiq import current
from flaskiq.worker import Worker


def task_launcher(
    task: Any, *args: Any, current_user: Any = None, **kwargs: Any
) -> AsyncResult[Any]:
    """Enqueue a Worker or a Celery task, plain ones too, on behalf of a user.

    ::

        task_launcher(Report, 42, current_user=user)

    ``current_user.id`` and the fields of the same name, such as ``current_user.organization_id``,
    are the tenant; keyword arguments that name a field come before. Without a user it is the
    current tenant, as for any other call.

    Raises:
        ArgumentError: the call cannot become a job, or a field holds no id.
    """
    is_worker = isinstance(task, type) and issubclass(task, Worker)
    state = current.state() if is_worker else current.state_of(task.app) or current.state()
    parameters = inspect.signature(task.perform if is_worker else task.run).parameters
    given = state.tenancy.named(kwargs, parameters)
    rest = {name: value for name, value in kwargs.items() if name not in given}
    tenant = current.tenant_of(state)
    if current_user is not None:
        tenant = state.tenancy.of_user(current_user)
    tenant = state.tenancy.of({**tenant, **given})
    if is_worker:
        return task.set(tenant=tenant).perform_async(*args, **rest)  # type: ignore[no-any-return]
    return task.apply_async(args, rest, headers=state.tenancy.headers(tenant))  # type: ignore[no-any-return]
