"""Patient: the app that the doctor looks at, and what several checks ask of it, asked once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from celery import Task

from flaskiq.settings import mask_url

if TYPE_CHECKING:
    from celery import Celery

    from flaskiq.extension import AppState
    from flaskiq.settings import Settings
    from flaskiq.store.store import Store

PATIENCE = 3.0
"""Seconds that Redis has to answer, at each try: a doctor who hangs tells nobody why."""


@dataclass(eq=False)
class Patient:
    """One app.

    ``timeout`` is how many seconds workers have to answer; ``environ`` and ``clock`` are those of
    this process.
    """

    state: AppState
    timeout: float = 1.0
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Callable[[], float] = time.time

    @property
    def celery(self) -> Celery:
        """Its Celery app."""
        return self.state.celery

    @property
    def settings(self) -> Settings:
        """Its settings."""
        return self.state.settings

    @property
    def address(self) -> str:
        """The broker's URL as it may be shown."""
        return mask_url(self.settings.broker_url)

    @cached_property
    def store(self) -> Store:
        """The broker's store.

        Raises:
            redis.RedisError, kombu.exceptions.OperationalError: Redis cannot be reached.
        """
        patience = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
        with self.celery.connection_for_write(transport_options=patience) as connection:
            channel: Any = connection.channel()
            store: Store = channel.make_store(PATIENCE)
        return store

    @cached_property
    def info(self) -> Mapping[str, Any]:
        """What the server tells of itself."""
        found: dict[str, Any] = self.store.client.info()
        return found

    @cached_property
    def tasks(self) -> Mapping[str, Task[..., Any]]:
        """The tasks that a worker of the app would know, by name; without Celery's own."""
        # As a worker does at its start; a module that cannot be imported would stop it as well.
        self.celery.loader.import_default_modules()
        self.celery.finalize()
        return {
            name: task
            for name, task in sorted(self.celery.tasks.items())
            if not name.startswith("celery.")
        }

    @cached_property
    def queues(self) -> Mapping[str, list[str]]:
        """The queues that are configured or that a task goes to, each with the names of its tasks.

        Those of routes in functions are left out: where a function sends a job depends on the job.
        """
        amqp: Any = self.celery.amqp
        found: dict[str, list[str]] = {name: [] for name in amqp.queues}
        if amqp.routes_go_by_name:
            for name in self.tasks:
                queue = amqp.router.route({}, name).get("queue")
                if queue is not None:
                    found.setdefault(queue.name, []).append(name)
        return found
