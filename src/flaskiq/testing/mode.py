"""Mode: what becomes of the jobs that are enqueued within a block of a test."""

from __future__ import annotations

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime, timedelta, timezone
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

from flaskiq import current
from flaskiq.errors import ContextError, ModeError
from flaskiq.testing import under_test
from flaskiq.testing.cron import Slot, load, slots_between

if TYPE_CHECKING:
    from celery import Celery, Task
    from kombu import Connection
    from typing_extensions import Self

    from flaskiq.moments import Delay
    from flaskiq.store.store import Store
    from flaskiq.testing.enqueued import EnqueuedJob
    from flaskiq.worker import Worker

    Target = type[Worker] | Task[..., Any] | str
    """A Worker, a plain task, or the name of one."""

DecoratedT = TypeVar("DecoratedT", bound=Callable[..., Any])


class AppInMode(Protocol):
    """One app in a mode: what it has there in place of its own."""

    @property
    def store(self) -> Store: ...
    @property
    def backend(self) -> Any: ...
    @property
    def producers(self) -> Any: ...
    @property
    def connections(self) -> Any: ...
    @property
    def control(self) -> Any: ...
    def connection(self) -> Connection:
        """A connection of its own."""

    def enqueued(self) -> Iterator[EnqueuedJob]:
        """The jobs that were enqueued, in order, as they are now."""

    def clear(self) -> None:
        """Forget all jobs and results."""


AppT = TypeVar("AppT", bound=AppInMode)


class Mode(ABC, Generic[AppT]):
    """A context manager, and a decorator of functions, of coroutine functions and of test classes.

    ::

        with fake():
            ...

        @inline()
        def test_signup(): ...

    It is there for the code that runs in its context: in the thread, or the asyncio task, in which
    the block was entered. Blocks can be nested, and the inner one counts.
    """

    name = ""

    def __init__(self) -> None:
        self._outer: list[current.Elsewhere | None] = []
        self._apps: dict[Celery, AppT] = {}

    # The block.

    def __enter__(self) -> Self:
        if self._outer:
            raise ModeError(f"this {self.name} is active already; make another one: {self.name}()")
        for state in current.states():
            self.adopt(state.celery)
        self._outer.append(current.elsewhere.get())
        current.elsewhere.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        current.elsewhere.set(self._outer.pop())

    @contextmanager
    def in_charge(self) -> Iterator[None]:
        """Be the mode of this context, also within the block of another one.

        Raises:
            ModeError: its own block is over, or has not begun.
        """
        if not self._outer:
            raise ModeError(f"this {self.name} is not active: use it within its own block")
        around = current.elsewhere.get()
        current.elsewhere.set(self)
        try:
            yield
        finally:
            current.elsewhere.set(around)

    def __call__(self, decorated: DecoratedT) -> DecoratedT:
        """Decorate a function, a coroutine function, or a class: each of its test methods."""
        given: Any = decorated
        if inspect.isclass(given):
            for name, value in list(vars(given).items()):
                if name.startswith("test"):
                    setattr(given, name, self._method(value))
            return decorated
        run: Any = self._async if inspect.iscoroutinefunction(given) else self._sync
        wrapped: Any = functools.wraps(given)(run(given))
        return cast("DecoratedT", wrapped)

    def _method(self, value: Any) -> Any:
        if isinstance(value, (staticmethod, classmethod)):
            return type(value)(self(value.__func__))
        return self(value) if callable(value) else value

    def _sync(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            with self.another():
                return function(*args, **kwargs)

        return run

    def _async(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def run(*args: Any, **kwargs: Any) -> Any:
            with self.another():
                return await function(*args, **kwargs)

        return run

    def another(self) -> Self:
        """Return a new one with the same options: each call of a decorated function has its own."""
        return type(self)()

    # What the running side asks.

    def adopt(self, celery: Celery) -> None:
        """Take the jobs of an app from now on.

        Raises:
            ModeError: ``task_always_eager`` is on.
        """
        if celery.conf.task_always_eager:
            raise ModeError(
                f"task_always_eager is on in the Celery app {celery.main!r}, so its jobs run in "
                "their caller and reach no mode of flaskiq.testing; take the setting out, "
                "and use inline() where jobs are to run at once"
            )
        under_test.prepare(celery)

    @abstractmethod
    def _make(self, celery: Celery) -> AppT:
        """Make what an app has here, when it is first used."""

    def _of(self, celery: Celery) -> AppT:
        if celery not in self._apps:
            self._apps[celery] = self._make(celery)
        return self._apps[celery]

    def store_of(self, celery: Celery) -> Store:
        """The store of an app."""
        return self._of(celery).store

    def backend_of(self, celery: Celery) -> Any:
        """Where its results are."""
        return self._of(celery).backend

    def producers_of(self, celery: Celery) -> Any:
        """The pool of what publishes."""
        return self._of(celery).producers

    def connections_of(self, celery: Celery) -> Any:
        """The pool of connections."""
        return self._of(celery).connections

    def connection_of(self, celery: Celery) -> Connection:
        """A connection of its own."""
        return self._of(celery).connection()

    def control_of(self, celery: Celery) -> Any:
        """Remote control."""
        return self._of(celery).control

    @abstractmethod
    def act(self) -> None:
        """Hear that something may have been enqueued."""

    def slots(self, start: float, end: float) -> list[tuple[Celery, Slot]]:
        """The cron slots of its apps, and of the current one, in that time; in order.

        Not of all apps: some may be left from other tests.

        Raises:
            ContextError: it has no app yet, and it is not clear which one is meant.
        """
        apps = set(self._apps)
        with suppress(ContextError) if apps else nullcontext():
            apps.add(current.state().celery)
        for celery in apps:
            load(celery)
        bounds = [datetime.fromtimestamp(each, timezone.utc) for each in (start, end)]
        found = [(celery, slot) for celery in apps for slot in slots_between(celery, *bounds)]
        return sorted(found, key=lambda each: each[1].moment)

    # What a test says.

    def enqueued(self) -> list[EnqueuedJob]:
        """The jobs that were enqueued since the block began or :meth:`clear`, in order.

        Whatever has become of them: ``state`` of each says that.
        """
        found = chain.from_iterable(app.enqueued() for app in self._apps.values())
        return sorted(found, key=lambda job: job.enqueued_at)

    @abstractmethod
    def drain(
        self,
        worker: Target | None = None,
        *,
        queue: str | None = None,
        scheduled: bool | Delay = False,
        raises: bool = True,
    ) -> int:
        """Let the jobs run that are ready, and those that these enqueue; return how many ran.

        Args:
            worker: only its jobs.
            queue: only the jobs of this queue.
            scheduled: True runs those that wait for a time, too (scheduled, retries), as if that
                had come; a number of seconds or a timedelta those that are due by then.
            raises: whether an error of a job that has not succeeded in the end is raised, after
                all have run.

        Raises:
            Exception: the first of these errors, as the job has raised it.
        """

    @abstractmethod
    def perform_one(
        self, worker: Target | None = None, *, queue: str | None = None, raises: bool = True
    ) -> EnqueuedJob:
        """Let the next ready job run once, and return it.

        Raises:
            Exception: what the job has raised, unless ``raises`` is False.
            ModeError: no job is ready.
        """

    def clear(self) -> None:
        """Forget all jobs and results; a job that runs goes on."""
        for app in self._apps.values():
            app.clear()

    @abstractmethod
    def advance(self, delta: timedelta | float) -> None:
        """Let everything that waits for a time come nearer by so much: a timedelta, or seconds.

        Scheduled jobs and retries that are due by then become ready, cron entries are enqueued
        once for each slot in between, and jobs expire. Python's own clock stays as it is.
        """


def active() -> Mode[Any]:
    """Return the mode of this context.

    Raises:
        ModeError: there is none.
    """
    mode = current.elsewhere.get()
    if isinstance(mode, Mode):
        return mode
    raise ModeError(
        "no mode of flaskiq.testing is active here: use `with fake():`, @fake(), or one of the "
        "fixtures flaskiq_fake, flaskiq_inline, flaskiq_worker (a mode is not seen in threads "
        "that were started within it)"
    )
