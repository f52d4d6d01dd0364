"""WorkerRegistry: finds the Workers of an app and registers each as a Celery task.

All of it happens while the app module is imported (``WorkerRegistry.initialize()``), or at the
latest when a Celery worker or beat imports its modules, before it boots: a task that is registered
later is unknown to a worker that has built its strategies, and its jobs are dropped
(flask-react-template registered in ``worker_ready``, so its jobs never ran).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from celery import Celery, Task

from flaskiq import current
from flaskiq.errors import RegistrationError, did_you_mean
from flaskiq.worker import Worker, sources

if TYPE_CHECKING:
    from types import ModuleType

    from flaskiq.broker.amqp import WorkerRoutes

logger = logging.getLogger(__name__)


class WorkerRegistry:
    """The Workers of one app, by task name."""

    def __init__(
        self,
        celery: Celery,
        packages: Sequence[str],
        *,
        required: bool,
        home: str,
        make_task: Callable[[type[Worker]], Task[..., Any]],
        on_register: Callable[[type[Worker]], None],
    ) -> None:
        """``required``: a missing package is an error; ``home``: the app's own import name."""
        self._celery = celery
        self._packages = packages
        self._required = required
        self._home = home
        self._make_task = make_task
        self._on_register = on_register
        self._lock = threading.RLock()
        self._workers: dict[str, type[Worker]] = {}

    @classmethod
    def initialize(cls) -> None:
        """Import the packages of the current app and register every Worker in them.

        Call it at the end of the module that makes the Celery app. Calling it again is harmless.

        Raises:
            RegistrationError: two Workers with one task name, a Worker without ``perform``, or a
                queue that is neither configured nor routed; with file and line.
            ContextError: there is no current app.
            Exception: whatever the import of a module raises, with its traceback.
        """
        current.state().registry.load()

    @cached_property
    def _tasks(self) -> Mapping[str, Task[..., Any]]:
        """The tasks of the app, which Celery looks up in Python each time."""
        return self._celery.tasks

    @property
    def workers(self) -> dict[str, type[Worker]]:
        """The registered Workers by task name (a copy)."""
        return dict(self._workers)

    def load(self) -> None:
        """Do the work of :meth:`initialize` for this app."""
        for package in self._packages:
            self._import_below(package)
        with self._lock:
            before = len(self._workers)
            for worker in sorted(self._own_workers(), key=lambda each: each.task_name()):
                _check_single(worker)
                self._register(worker)
            if len(self._workers) != before:
                logger.info("Registered %d workers", len(self._workers))

    def task_of(self, worker: type[Worker]) -> Task[..., Any]:
        """Return the Celery task of ``worker``, registering it if this is its first use.

        Raises:
            RegistrationError: see :meth:`initialize`.
        """
        name = worker.task_name()
        if self._workers.get(name) is not worker:
            with self._lock:
                self._register(worker)
        return self._tasks[name]

    def _import_below(self, package: str) -> None:
        if find_spec(package) is None:
            if self._required:
                raise RegistrationError(
                    f"there is no package {package!r} to import Workers from; "
                    "create it or correct FLASKIQ_WORKERS"
                )
            return
        for name in _modules_below(import_module(package)):
            import_module(name)

    def _own_workers(self) -> list[type[Worker]]:
        """The concrete Workers of this app.

        With one app in the process that is every Worker; with several, those in its packages and
        in its own import package. (Another one is registered when it is first used.)
        """
        roots = {*self._packages, self._home.partition(".")[0]}
        alone = current.count() <= 1
        return [
            worker
            for worker in _descendants(Worker)
            if alone or worker.task_name().partition(".")[0] in roots or _below(worker, roots)
        ]

    def _register(self, worker: type[Worker]) -> None:
        name = worker.task_name()
        known = self._workers.get(name)
        if known is worker:
            return
        if worker.is_abstract():
            if _descendants(worker):
                return
            raise RegistrationError(
                f"{worker.source()}: Worker {name} has no perform; add the classmethod perform"
            )
        self._check_name_is_free(worker)
        self._check_queue(worker)
        self._celery.tasks.pop(name, None)
        task = self._celery.register_task(self._make_task(worker))
        for alias in worker.aliases:
            self._celery.tasks[alias] = task
        self._workers[name] = worker
        self._on_register(worker)
        logger.info("Registered worker %s", describe(worker))

    def _check_name_is_free(self, worker: type[Worker]) -> None:
        name = worker.task_name()
        task = self._celery.tasks.get(name)
        if task is not None and name not in self._workers:
            raise RegistrationError(
                f"{worker.source()}: the task name {name!r} is taken by {type(task).__module__}; "
                "rename the Worker, or give it an option `name`"
            )
        for alias in worker.aliases:
            taken: Any = self._celery.tasks.get(alias)
            if taken is not None and taken.name != name:
                raise RegistrationError(
                    f"{worker.source()}: its alias {alias!r} is the name of another task; take it "
                    "out, or rename that one"
                )

    def _is_routed(self, worker: type[Worker]) -> bool:
        return cast("WorkerRoutes", self._celery.amqp).routes_by_setting(worker.task_name())

    def _check_queue(self, worker: type[Worker]) -> None:
        queues = self._celery.conf.task_queues
        names = [getattr(queue, "name", queue) for queue in queues or ()]
        if not names or worker.queue in names or self._is_routed(worker):
            return
        raise RegistrationError(
            f"{worker.source()}: Worker {worker.task_name()} has queue = {worker.queue!r}, which "
            f"no worker consumes{did_you_mean(worker.queue, names)}\n"
            f"Configured are {', '.join(names)}: correct it, add the queue to task_queues or "
            "FLASKIQ_QUEUES, or route the Worker in task_routes"
        )


def _check_single(worker: type[Worker]) -> None:
    name = worker.task_name()
    written = sources(name)
    if len(written) > 1:
        raise RegistrationError(
            f"two Workers have the task name {name!r}: {' and '.join(written)}; "
            "rename one, or give it an option `name`"
        )


def describe(worker: type[Worker]) -> str:
    """One line: name, queue and schedule."""
    given = worker.cron_schedule or ()
    cron = ", ".join([given] if isinstance(given, str) else given)
    schedule = f" [cron {cron}]" if cron else ""
    return f"{worker.task_name()} on queue {worker.queue}{schedule}"


def _descendants(worker: type[Worker]) -> list[type[Worker]]:
    """Every subclass, of subclasses too."""
    found: dict[type[Worker], None] = {}
    for child in worker.__subclasses__():
        found[child] = None
        found.update(dict.fromkeys(_descendants(child)))
    return list(found)


def _below(worker: type[Worker], roots: set[str]) -> bool:
    return any(f"{worker.__module__}.".startswith(f"{root}.") for root in roots)


def _modules_below(package: ModuleType) -> list[str]:
    """The names of all modules below a package, folders without ``__init__.py`` included.

    ``pkgutil.walk_packages`` skips such folders without a word, and with them their Workers.
    """
    names = {
        ".".join((package.__name__, *_parts(file.relative_to(folder))))
        for folder in map(Path, getattr(package, "__path__", ()))
        for file in folder.rglob("*.py")
        if all(part.isidentifier() for part in _parts(file.relative_to(folder)))
    }
    return sorted(names - {package.__name__, f"{package.__name__}.__main__"})


def _parts(file: Path) -> tuple[str, ...]:
    parts = file.with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts
