"""Direct: one LPUSH in place of Celery's publishing, as long as nobody can tell the difference."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any

from celery import Celery, Task, signals
from celery.app import base
from celery.app import task as celery_task
from celery.app.amqp import AMQP
from celery.backends.base import Backend
from kombu import Producer, messaging
from kombu.exceptions import OperationalError
from redis import RedisError

from flaskiq.message import Template
from flaskiq.store.catch import Caught, catches
from flaskiq.store.place import Placed

if TYPE_CHECKING:
    from flaskiq.job import Job
    from flaskiq.store.store import Store

logger = logging.getLogger(__name__)

BULK_SIZE = 1000
"""Jobs in one round trip, as Sidekiq sends them."""

_PUBLISHING: tuple[tuple[Mapping[str, Any], str, Mapping[str, Any]], ...] = (
    (vars(Task), "apply_async", vars(celery_task)),
    (vars(Celery), "send_task", vars(base)),
    (vars(Producer), "publish", vars(messaging)),
)
"""What Celery runs to publish; Sentry, New Relic and Datadog put functions of their own there."""

_SIGNALS: tuple[Any, ...] = (
    signals.before_task_publish,
    signals.after_task_publish,
    vars(signals)["task_sent"],  # deprecated, and not in the stubs
)
"""What OpenTelemetry and others listen to."""

_NEUTRAL = {"serializer": "json", "delivery_mode": 2}
"""Options of a task that change nothing about a message in Redis."""

_ELSEWHERE = {"time_limit", "soft_time_limit", "expires"}
"""Options that the worker reads from its own task, or that the job carries."""


class Direct:
    """Puts jobs onto their queues without Celery's publishing.

    That takes half a millisecond for each job, to compute again what is the same for all jobs of a
    Worker, and to call hooks that nobody has filled. Where somebody has, or where a setting asks
    for more than a plain message on a list, the job is left to Celery.
    """

    def __init__(self, celery: Celery, open_store: Callable[[], Store]) -> None:
        self._celery = celery
        self._open_store = open_store
        self._templates: dict[tuple[str, str | None], Template | None] = {}

    def push(self, task: Task[..., Any], jobs: Sequence[Job], parent: Any = None) -> int:
        """Enqueue jobs of one task and queue, in order; return how many were.

        The rest has to go Celery's way: all of it, or what came after a failure of Redis, whose
        retries and errors are Celery's.

        Args:
            parent: the Celery task that runs here and now, None outside of a job.
        """
        pushed = 0
        for job in jobs:
            if job.at:
                return pushed
        if not jobs or not self._is_unwatched(task):
            return pushed
        try:
            kind = task.name, jobs[0].queue
            if kind not in self._templates:
                self._templates[kind] = self._make_template(task, jobs[0].queue)
            template = self._templates[kind]
            catch = catches.get()
            if template and catch is not None:
                catch.jobs += self._caught(template, jobs, parent)
                return len(jobs)
            while template and pushed < len(jobs):
                part = jobs[pushed : pushed + BULK_SIZE]
                messages = _messages(template, part, parent)
                self._open_store().queues.push(template.queue, messages)
                pushed += len(part)
        except (RedisError, OSError, OperationalError) as error:
            logger.debug("Celery publishes what Redis did not take: %s", error)
        return pushed

    def _caught(self, template: Template, jobs: Sequence[Job], parent: Any) -> Iterator[Caught]:
        ready = self._open_store().keys.ready(template.queue)
        for job, message in zip(jobs, _messages(template, jobs, parent), strict=True):
            yield Caught(job.id, None, Placed(template.queue, ready, message.encode()))

    def _is_unwatched(self, task: Task[..., Any]) -> bool:
        """Whether publishing is Celery's own here and now, and nobody listens."""
        changes: Any = self._celery.conf.changes
        if changes.get("task_always_eager"):
            return False
        for signal in _SIGNALS:
            if signal.receivers:
                return False
        for attributes, name, module in _PUBLISHING:
            function = attributes[name]
            # The one that the module was written with, and not a wrapper around it.
            if type(function) is not FunctionType or function.__globals__ is not module:
                return False
        return "apply_async" not in vars(task)

    def _make_template(self, task: Task[..., Any], queue: str | None) -> Template | None:
        """Return the template for a task; None if its jobs are more than a plain message."""
        target = self._queue_of(task, queue) if self._publishes_plainly(task) else None
        if target is None:
            return None
        return Template(
            task.name, target.name, {"ignore_result": True} if task.ignore_result else {}
        )

    def _publishes_plainly(self, task: Any) -> bool:
        celery, conf = self._celery, self._celery.conf
        extra = [
            name
            for name, value in task._get_exec_options().items()  # noqa: SLF001 - as apply_async
            if value not in (None, False, _NEUTRAL.get(name)) and name not in _ELSEWHERE
        ]
        return (
            type(task).apply_async is Task.apply_async
            and type(task).shadow_name is Task.shadow_name
            and type(celery).send_task is Celery.send_task
            and type(celery.amqp).as_task_v2 is AMQP.as_task_v2
            and not extra
            and conf.task_protocol == 2
            and conf.task_serializer == "json"
            and not conf.task_compression
            and not conf.task_always_eager
            and not conf.task_send_sent_event
            and not conf.task_inherit_parent_priority
            and (task.ignore_result or not _is_told(task.backend))
        )

    def _queue_of(self, task: Task[..., Any], queue: str | None) -> Any:
        """Return the queue that Celery would route to; None if that is not just a list."""
        publishing: Any = self._celery.amqp
        if not publishing.routes_go_by_name:
            return None
        options = {} if queue is None else {"queue": queue}
        route = publishing.router.route(options, task.name, (), {}, task)
        target = route.pop("queue", None)
        if route or target is None or target.exchange.type != "direct":
            return None
        if target.expires or target.queue_arguments or target.max_priority:
            return None
        return target


def _messages(template: Template, jobs: Sequence[Job], parent: Any) -> list[str]:
    request = None if parent is None else parent.request
    messages = []
    for job in jobs:
        headers, root_id = dict(job.headers), job.id
        if job.expires is not None:
            headers["expires"] = job.expires.isoformat()
        if request is not None:
            headers["parent_id"] = request.id
            root_id = request.root_id or request.id
        messages.append(template.fill(job.id, job.args, job.kwargs, root_id, headers))
    return messages


def _is_told(backend: Any) -> bool:
    """Whether a result backend does something for each job that is enqueued."""
    is_silent = type(backend).on_task_call is Backend.on_task_call
    return not (is_silent or getattr(backend, "is_quiet_on_call", False))
