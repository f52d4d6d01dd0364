"""Worker: the class that an application writes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from celery.utils.functional import head_from_fun

from flaskiq import arguments, current, options
from flaskiq.errors import ArgumentError, DefinitionError
from flaskiq.setter import Setter
from flaskiq.verbs import AsyncVerb, AtVerb, BulkVerb, InlineVerb, InVerb, SetVerb

if TYPE_CHECKING:
    from types import FrameType

    from celery.canvas import Signature

    from flaskiq.cron.policy import CatchUp, Overlap
    from flaskiq.job import Job


class Worker:
    """A kind of job: subclass it and write ``perform``.

    ::

        class Welcome(Worker):
            queue = "critical"

            @classmethod
            def perform(cls, user_id: int) -> None:
                ...

        Welcome.perform_async(42)                        # as soon as a worker is free
        Welcome.perform_in(300, 42)                      # in five minutes
        Welcome.perform_at(datetime(2030, 1, 1), 42)     # local time, as everywhere in Python
        Welcome.perform_bulk([(1,), (2,), (3,)])
        Welcome.set(queue="low").perform_async(42)       # other options for this call
        Welcome.perform_inline(42)                       # here and now, as a worker would
        Welcome.perform(42)                              # the bare function

    Arguments must survive JSON. A misspelt option fails in the ``class`` statement. A class
    without ``perform`` may serve as a base of others.
    """

    queue: ClassVar[str] = "default"
    """Where its jobs go, unless ``set(queue=...)`` or ``task_routes`` say otherwise."""

    max_retries: ClassVar[int] = 3
    """Attempts after the first; 0 for none."""

    retry_backoff: ClassVar[bool | float] = True
    """True: exponential from 1 s with full jitter; a number: the same from that many seconds;
    False: wait ``retry_delay`` each time."""

    retry_backoff_max: ClassVar[float] = 600
    """The longest exponential wait, in seconds."""

    retry_delay: ClassVar[float] = 10
    """The wait in seconds when ``retry_backoff`` is False."""

    retry_for: ClassVar[float | timedelta | None] = None
    """Retry for so long after the first failure, in place of ``max_retries``; seconds."""

    retry_on: ClassVar[tuple[type[Exception], ...] | None] = None
    """The errors that lead to another attempt; None: all."""

    discard_on: ClassVar[tuple[type[Exception], ...]] = ()
    """The errors that end the job at once and quietly, as ``flaskiq.Discard`` does."""

    dead: ClassVar[bool] = True
    """False: a job that gave up is dropped, not put into the dead set."""

    cron_schedule: ClassVar[str | Sequence[str] | None] = None
    """Five cron fields or ``@daily`` and its like, or several of these: when the scheduler enqueues
    this Worker by itself."""

    cron_timezone: ClassVar[str | None] = None
    """The time zone of ``cron_schedule``, such as ``Europe/Berlin``; None: the app's."""

    cron_args: ClassVar[Sequence[Any]] = ()
    """The arguments of its cron jobs."""

    cron_kwargs: ClassVar[Mapping[str, Any]] = {}
    """The keyword arguments of its cron jobs."""

    cron_catch_up: ClassVar[CatchUp] = "once"
    """Of the slots missed while no scheduler ran: ``skip`` none is enqueued, ``once`` the latest,
    ``all`` each, up to ``cron_catch_up_limit``."""

    cron_catch_up_limit: ClassVar[int] = 100
    """The latest slots that ``cron_catch_up = "all"`` enqueues, at most."""

    cron_overlap: ClassVar[Overlap] = "allow"
    """``skip``: a slot is left out while the job of an earlier one is not over."""

    cron_jitter: ClassVar[float | timedelta] = 0
    """Seconds within which each slot is put off, so that not all of them meet."""

    cron_tenant: ClassVar[Mapping[str, Any] | None] = None
    """On whose behalf its cron jobs run; None: the app's ``FLASKIQ_SYSTEM_TENANT``."""

    tenant_required: ClassVar[bool] = False
    """True: a job without a tenant is refused when it is enqueued."""

    after_commit: ClassVar[bool | None] = None
    """True: a job is enqueued when the open database transaction is committed, and not at all if it
    is rolled back; None: the app's ``FLASKIQ_AFTER_COMMIT``."""

    time_limit: ClassVar[float | None] = None
    """Seconds after which the pool kills the job; None: the app's ``task_time_limit``."""

    soft_time_limit: ClassVar[float | None] = None
    """Seconds after which ``SoftTimeLimitExceeded`` is raised in ``perform``; None: the app's."""

    expires: ClassVar[float | timedelta | None] = None
    """A job that has not started this long after it was meant to is dropped; None: never."""

    ignore_result: ClassVar[bool | None] = None
    """True: keep no result; None: the app's ``task_ignore_result``."""

    aliases: ClassVar[Sequence[str]] = ()
    """Its former task names: jobs that wait under one run, and cron goes on where it was."""

    name: ClassVar[str]
    """Its task name, if not ``module.ClassName``; not inherited."""

    perform_async = AsyncVerb()
    perform_in = InVerb()
    perform_at = AtVerb()
    perform_bulk = BulkVerb()
    perform_inline = InlineVerb()
    set = SetVerb()

    _setter: ClassVar[Setter[..., Any]]
    _signature_check: ClassVar[Callable[..., Any] | None] = None
    _parameters: ClassVar[frozenset[str] | None] = None
    _source: ClassVar[str] = __file__

    @classmethod
    def perform(cls, *args: Any, **kwargs: Any) -> Any:
        """Do the job; plain or ``async def``. Written by the application."""
        raise NotImplementedError(f"{cls.__qualname__} has no perform; add the classmethod")

    @classmethod
    def retry_in(cls, attempt: int, exc: Exception) -> float | timedelta | None:  # noqa: ARG003
        """Return the wait after the failed ``attempt`` (the first is 1), in seconds.

        None is the wait that ``retry_backoff`` asks for. May be written by the application.
        """
        return None

    @classmethod
    def on_success(cls, job: Job, result: Any) -> None:
        """Hear that ``job`` has succeeded. May be written by the application."""

    @classmethod
    def on_failure(cls, job: Job, exc: Exception) -> None:
        """Hear that an attempt has failed, whether or not another follows.

        May be written by the application.
        """

    @classmethod
    def retries_exhausted(cls, job: Job, exc: Exception) -> None:
        """Hear that ``job`` gives up because of ``exc``. May be written by the application."""

    @classmethod
    def s(cls, *args: Any, **kwargs: Any) -> Signature[Any]:
        """Return a Celery signature, for chains, groups and chords."""
        return current.state().registry.task_of(cls).s(*args, **kwargs)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._setter, cls._signature_check, cls._parameters = Setter(cls), None, None
        cls._source = _class_statement(cls)
        _sources.setdefault(cls.task_name(), {})[cls._source] = None
        options.validate(cls.__qualname__, vars(cls))
        _check_limits(cls)
        if "perform" in vars(cls):
            _check_perform(cls, vars(cls)["perform"])

    @classmethod
    def task_name(cls) -> str:
        """The name of its Celery task: ``module.ClassName``, or its own option ``name``."""
        own = vars(cls).get("name")
        return str(own) if own else f"{_module_name(cls.__module__)}.{cls.__name__}"

    @classmethod
    def says(cls, option: str) -> bool:
        """Whether it, or a base of its own, sets an option itself."""
        return any(option in vars(each) for each in cls.__mro__ if each not in Worker.__mro__)

    @classmethod
    def is_abstract(cls) -> bool:
        """Whether it has no ``perform`` that can run."""
        perform: Any = cls.perform
        return perform.__func__ is _BASE_PERFORM or getattr(perform, "__isabstractmethod__", False)

    @classmethod
    def source(cls) -> str:
        """Where its class statement is, as ``file:line``."""
        return cls._source

    @classmethod
    def signature_check(cls) -> Callable[..., Any]:
        """Return an empty function with the signature of ``perform``: calling it is the check."""
        if cls._signature_check is None:
            perform: Any = cls.perform
            cls._signature_check = head_from_fun(perform.__func__, bound=True)
        return cls._signature_check

    @classmethod
    def parameters(cls) -> frozenset[str]:
        """The names that ``perform`` gives its parameters."""
        if cls._parameters is None:
            cls._parameters = frozenset(inspect.signature(cls.perform).parameters)
        return cls._parameters

    @classmethod
    def check_arguments(cls, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Refuse a call that ``perform`` could not take or JSON could not carry.

        Raises:
            ArgumentError: naming the argument.
        """
        try:
            (cls._signature_check or cls.signature_check())(*args, **kwargs)
        except TypeError as error:
            raise ArgumentError(
                f"{cls.__name__}.{error} (perform{inspect.signature(cls.perform)})"
            ) from None
        if not arguments.are_plain((*args, *kwargs.values())):
            arguments.check(cls.__name__, args, kwargs)


_sources: dict[str, dict[str, None]] = {}
"""Every class statement by task name: a class that another one shadows is soon collected."""


def sources(task_name: str) -> list[str]:
    """Return the ``file:line`` of every Worker that was defined with this task name."""
    return list(_sources.get(task_name, ()))


Worker._setter = Setter(Worker)  # noqa: SLF001 - as __init_subclass__ does for all others
_BASE_PERFORM = vars(Worker)["perform"].__func__


def _class_statement(cls: type) -> str:
    """Find the frame that runs the class statement: a metaclass may stand between."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - inspect.stack() reads every file
    while frame and frame.f_globals.get("__name__") != cls.__module__:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else cls.__module__


@cache
def _module_name(module: str) -> str:
    """The name under which another process imports ``module``: ``__main__`` has another one."""
    if module != "__main__":
        return module
    main = sys.modules["__main__"]
    if main.__spec__ is not None:
        return main.__spec__.name
    file = getattr(main, "__file__", None)
    return Path(file).stem if file else module


def _check_limits(cls: type[Worker]) -> None:
    soft, hard = cls.soft_time_limit, cls.time_limit
    if soft is not None and hard is not None and soft > hard:
        raise DefinitionError(
            f"{cls.__qualname__}.soft_time_limit ({soft} s) is above its time_limit ({hard} s); "
            "the soft limit comes first, to let perform clean up"
        )


def _check_perform(cls: type[Worker], perform: Any) -> None:
    name = f"{cls.__qualname__}.perform"
    if not isinstance(perform, classmethod):
        raise DefinitionError(f"{name} must be a classmethod: write @classmethod above it")
    function = perform.__func__
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise DefinitionError(f"{name} contains `yield`, so calling it would run nothing")
    if "delay_seconds" in inspect.signature(function).parameters:
        raise DefinitionError(
            f"{name} has a parameter delay_seconds, which perform_in takes for itself; rename it"
        )
