"""Celery's AMQP with the last word on routing, and with retries that wait for Redis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.app import routes
from celery.app.amqp import AMQP
from kombu.utils.imports import symbol_by_name

from flaskiq.broker.chords import NamesParts
from flaskiq.broker.connection import FlaskiqConnection
from flaskiq.broker.patience import insist
from flaskiq.broker.put import flight_of_next
from flaskiq.broker.tenant import CarriesTenant

if TYPE_CHECKING:
    _Base = AMQP
else:
    _Base = object


class WorkerRoutes(_Base):
    """Mixin for an AMQP class: ``Worker.queue`` comes after ``task_routes``, before the default.

    A ``queue`` attribute on the task would beat ``task_routes`` (and is deprecated in Celery 5.7),
    so a router at the end of the table answers for it.
    """

    def flush_routes(self) -> None:
        self._rtable = [*routes.prepare(self.app.conf.task_routes), self._route_by_worker]

    def routes_by_setting(self, name: str) -> bool:
        """Whether ``task_routes`` has an answer for the task ``name``."""
        by_setting = routes.prepare(self.app.conf.task_routes)
        router = routes.Router(by_setting, self.queues, create_missing=True, app=self.app)
        return router.lookup_route(name, (), {}, {}, None) is not None

    @property
    def routes_go_by_name(self) -> bool:
        """Whether nothing but the name of a task decides where it goes: no function is asked."""
        return all(isinstance(route, routes.MapRoute) for route in self.routes[:-1])

    def _route_by_worker(
        self, name: str, *_: Any, task: Any = None, **__: Any
    ) -> dict[str, str] | None:
        worker = getattr(task or self.app.tasks.get(name), "worker", None)
        return None if worker is None else {"queue": worker.queue}


class PatientRetries(_Base):
    """Mixin for an AMQP class: the retry of a running job waits for Redis as long as it takes.

    Celery gives up within a second, and then drops the job for good (celery/app/task.py, ``retry``
    raises ``Reject``). kombu does not repeat what fails while it opens the channel, as for the
    first message of a process. The queue is not declared again, since kombu goes on with a closed
    channel when the connection is lost in doing so.
    """

    def _create_task_sender(self) -> Callable[..., Any]:
        send: Callable[..., Any] = super()._create_task_sender()  # type: ignore[misc]

        def send_task_message(
            producer: Any,
            name: str,
            message: Any,
            headers: Mapping[str, Any] | None = None,
            **options: Any,
        ) -> Any:
            if flight_of_next({**message[0], **(headers or {})}):
                policy = {**(options.get("retry_policy") or {}), "max_retries": None}
                options.update(retry=True, retry_policy=policy, declare=[])
                publish = partial(send, producer, name, message, headers=headers, **options)
                return insist(publish, f"Job {message[0]['id']} waits for its next attempt")
            return send(producer, name, message, headers=headers, **options)

        return send_task_message


def install(celery: Celery) -> None:
    """Give a Celery app the routes of Workers and our transport, over the AMQP class it has."""
    base: Any = symbol_by_name(celery.amqp_cls)  # type: ignore[arg-type]
    connection = type("Connection", (FlaskiqConnection, base.Connection), {})
    attributes = {"Connection": connection, "BrokerConnection": connection}
    mixins = (WorkerRoutes, CarriesTenant, NamesParts, PatientRetries)
    celery.amqp_cls = type("AMQP", (*mixins, base), attributes)  # type: ignore[assignment]
    vars(celery).pop("amqp", None)
