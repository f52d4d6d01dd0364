"""The verbs of a Worker: ``perform_async``, ``perform_in``, ``perform_at``, ``perform_bulk``,
``perform_inline`` and ``set``, typed by the signature of its ``perform``.

A :class:`Setter` is a Worker with options for one call (Sidekiq's word). Each verb of the Worker
itself is a descriptor that makes a Setter without options and returns its method of the same name,
so that everything is written once.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

from typing_extensions import TypedDict, Unpack

from flaskiq import arguments, current, moments
from flaskiq.errors import ArgumentError, did_you_mean
from flaskiq.job import MAX_RETRIES_HEADER, RESERVED_HEADERS, Job, new_id
from flaskiq.moments import Delay

if TYPE_CHECKING:
    from celery.result import AsyncResult

    from flaskiq.worker import Worker

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

Call = tuple[Any, ...] | Mapping[str, Any]
"""One job of a bulk: a tuple of args, a dict of kwargs, or ``(args tuple, kwargs dict)``."""


class CallOptions(TypedDict, total=False):
    """What :meth:`Setter.set` accepts."""

    queue: str
    at: datetime
    delay: Delay
    expires: Delay | datetime
    max_retries: int
    headers: Mapping[str, Any]


class Setter(Generic[P, R]):
    """A Worker with options for the calls that are made through it."""

    def __init__(self, worker: type[Worker], options: CallOptions | None = None) -> None:
        self._worker = worker
        self._options: CallOptions = options or {}

    def set(self, **options: Unpack[CallOptions]) -> Setter[P, R]:
        """Return a Setter with these options over the ones that are set already.

        - ``queue``: the name of a queue; beats ``task_routes`` and ``Worker.queue``.
        - ``at`` or ``delay``: when; a datetime, or seconds or a timedelta from now.
        - ``expires``: a job that has not started by then is dropped; seconds or a timedelta
          after the time it is meant to start, or a datetime.
        - ``max_retries``: attempts after the first, for this job.
        - ``headers``: further message headers, plain data.

        Raises:
            ArgumentError: an option is unknown or has a wrong value.
        """
        if "at" in options and "delay" in options:
            raise ArgumentError("set() takes at= or delay=, not both")
        for name, value in options.items():
            _check_option(name, value)
        merged: CallOptions = {**self._options, **options}
        if "at" in options:
            merged.pop("delay", None)
        elif "delay" in options:
            merged.pop("at", None)
        return Setter(self._worker, merged)

    def perform_async(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """Enqueue one job and return its result handle at once."""
        return current.state().client.push(self._worker, self._job(args, kwargs, self._start()))

    @property
    def perform_in(self) -> PerformIn[P, R]:
        """Enqueue one job that starts after a delay, in seconds or a timedelta.

        The delay is the first argument, or the keyword ``delay_seconds``.
        """
        return self._perform_in

    def _perform_in(self, *args: Any, **kwargs: Any) -> AsyncResult[Any]:
        if "delay_seconds" in kwargs:
            delay = kwargs.pop("delay_seconds")
        elif args:
            delay, args = args[0], args[1:]
        else:
            raise ArgumentError(f"{self._worker.__name__}.perform_in() needs a delay in seconds")
        start = _not_past(moments.now() + moments.span(delay))
        return current.state().client.push(self._worker, self._job(args, kwargs, start))

    def perform_at(self, run_at: datetime, /, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """Enqueue one job that starts at ``run_at``; the past means now.

        A naive datetime is local time of this process.
        """
        start = _not_past(moments.instant(run_at))
        return current.state().client.push(self._worker, self._job(args, kwargs, start))

    def perform_bulk(
        self, calls: Iterable[Call], /, *, at: datetime | Iterable[datetime] | None = None
    ) -> Sequence[AsyncResult[R]]:
        """Enqueue many jobs and return their result handles in the same order.

        Every call is checked before the first is sent: a wrong one enqueues nothing.

        Args:
            calls: per job a tuple of args, a dict of kwargs, or ``(args tuple, kwargs dict)``.
            at: one datetime for all, or one for each.

        Raises:
            ArgumentError: a call is wrong (its index is named), or ``at`` has another length.
        """
        listed = list(calls)
        jobs = [
            self._bulk_job(index, call, start)
            for index, (call, start) in enumerate(
                zip(listed, self._starts(at, len(listed)), strict=True)
            )
        ]
        return current.state().client.push_bulk(self._worker, jobs)

    def perform_inline(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the job here and now, as a worker would: JSON round trip, app context, current job.

        Returns what ``perform`` returns; its errors are raised as they are, nothing is retried.
        """
        job = self._job(args, kwargs, None)
        result: R = current.state().perform_inline(self._worker, job)
        return result

    def _start(self) -> datetime | None:
        if "at" in self._options:
            return _not_past(moments.instant(self._options["at"], "at"))
        if "delay" in self._options:
            return _not_past(moments.now() + moments.span(self._options["delay"]))
        return None

    def _starts(
        self, at: datetime | Iterable[datetime] | None, length: int
    ) -> Sequence[datetime | None]:
        if at is None:
            return [self._start()] * length
        if isinstance(at, datetime):
            return [_not_past(moments.instant(at, "at"))] * length
        starts = [_not_past(moments.instant(each, "at")) for each in at]
        if len(starts) != length:
            raise ArgumentError(f"perform_bulk: {length} jobs but {len(starts)} times in at=")
        return starts

    def _bulk_job(self, index: int, call: Call, start: datetime | None) -> Job:
        try:
            args, kwargs = _split(call)
            return self._job(args, kwargs, start)
        except ArgumentError as error:
            raise ArgumentError(f"perform_bulk, job {index}: {error}") from error

    def _job(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], start: datetime | None) -> Job:
        worker, options = self._worker, self._options
        worker.check_arguments(args, kwargs)
        headers = dict(options.get("headers", ()))
        if "max_retries" in options:
            headers[MAX_RETRIES_HEADER] = options["max_retries"]
        return Job(
            new_id(),
            worker=worker.task_name(),
            args=args,
            kwargs=kwargs,
            queue=options.get("queue"),
            at=start,
            expires=_expiry(options.get("expires", worker.expires), start),
            headers=headers,
        )


def _split(call: Call) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Tell args and kwargs of one bulk entry apart.

    A tuple is never an argument itself (it does not survive JSON), which makes ``(tuple, dict)``
    unambiguous.
    """
    if isinstance(call, Mapping):
        return (), call
    if not isinstance(call, tuple):
        raise ArgumentError(f"pass a tuple of args or a dict of kwargs, not {call!r}")
    if len(call) == 2 and isinstance(call[0], tuple) and isinstance(call[1], Mapping):
        return call[0], call[1]
    return call, {}


def _not_past(start: datetime) -> datetime | None:
    return start if start > moments.now() else None


def _expiry(expires: Delay | datetime | None, start: datetime | None) -> datetime | None:
    if expires is None or isinstance(expires, datetime):
        return expires and moments.instant(expires, "expires")
    return (start or moments.now()) + moments.span(expires, "expires")


def _check_option(name: str, value: Any) -> None:
    if name == "priority":
        raise ArgumentError(
            "set() takes no priority: a queue is the priority of its jobs; "
            "use set(queue='critical') or set(queue='low')"
        )
    if name not in CallOptions.__annotations__:
        raise ArgumentError(
            f"set() takes no {name!r}{did_you_mean(name, CallOptions.__annotations__)}"
        )
    if name == "queue" and not (isinstance(value, str) and value.strip()):
        raise ArgumentError(f"queue must be the name of a queue, not {value!r}")
    if name == "max_retries" and (
        isinstance(value, bool) or not isinstance(value, int) or value < 0
    ):
        raise ArgumentError(f"max_retries must be a whole number, 0 for none, not {value!r}")
    if name == "at":
        moments.instant(value, "at")
    if name == "delay":
        moments.span(value)
    if name == "expires":
        _check_expires(value)
    if name == "headers":
        _check_headers(value)


def _check_expires(value: Any) -> None:
    if not isinstance(value, datetime) and moments.span(value, "expires") <= timedelta(0):
        raise ArgumentError(f"expires must be more than 0 seconds, not {value!r}")


def _check_headers(value: Any) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ArgumentError(f"headers must be a dict with string keys, not {value!r}")
    reserved = RESERVED_HEADERS.intersection(value)
    if reserved:
        raise ArgumentError(f"Celery's own message headers cannot be set: {sorted(reserved)}")
    arguments.check("set(headers=...)", (), value)


class Performs(Protocol[P, R_co]):
    """A class with a ``perform``, seen by a type checker."""

    def perform(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


class PerformIn(Protocol[P, R_co]):
    """``perform_in``: the delay comes first, or as ``delay_seconds=``."""

    @overload
    def __call__(self, delay: Delay, /, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R_co]: ...
    @overload
    def __call__(self, *, delay_seconds: Delay, **kwargs: Any) -> AsyncResult[R_co]: ...


class PerformBulk(Protocol[R_co]):
    """``perform_bulk``, see :meth:`Setter.perform_bulk`."""

    def __call__(
        self, calls: Iterable[Call], /, *, at: datetime | Iterable[datetime] | None = None
    ) -> Sequence[AsyncResult[R_co]]: ...


class Configure(Protocol[P, R]):
    """``set``, see :meth:`Setter.set`."""

    def __call__(self, **options: Unpack[CallOptions]) -> Setter[P, R]: ...


class _Verb:
    """Descriptor: the Setter's method of the same name, for the Worker it is read from."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def _of(self, owner: Any) -> Any:
        return getattr(Setter(owner), self._name)


class AsyncVerb(_Verb):
    @overload
    def __get__(
        self, instance: None, owner: Performs[P, Coroutine[Any, Any, R]]
    ) -> Callable[P, AsyncResult[R]]: ...
    @overload
    def __get__(self, instance: None, owner: Performs[P, R]) -> Callable[P, AsyncResult[R]]: ...
    def __get__(self, instance: None, owner: Any) -> Any:
        return self._of(owner)


class InVerb(_Verb):
    @overload
    def __get__(
        self, instance: None, owner: Performs[P, Coroutine[Any, Any, R]]
    ) -> PerformIn[P, R]: ...
    @overload
    def __get__(self, instance: None, owner: Performs[P, R]) -> PerformIn[P, R]: ...
    def __get__(self, instance: None, owner: Any) -> Any:
        return self._of(owner)


class AtVerb(_Verb):
    @overload
    def __get__(
        self, instance: None, owner: Performs[P, Coroutine[Any, Any, R]]
    ) -> Callable[Concatenate[datetime, P], AsyncResult[R]]: ...
    @overload
    def __get__(
        self, instance: None, owner: Performs[P, R]
    ) -> Callable[Concatenate[datetime, P], AsyncResult[R]]: ...
    def __get__(self, instance: None, owner: Any) -> Any:
        return self._of(owner)


class BulkVerb(_Verb):
    @overload
    def __get__(
        self, instance: None, owner: Performs[P, Coroutine[Any, Any, R]]
    ) -> PerformBulk[R]: ...
    @overload
    def __get__(self, instance: None, owner: Performs[P, R]) -> PerformBulk[R]: ...
    def __get__(self, instance: None, owner: Any) -> Any:
        return self._of(owner)


class InlineVerb(_Verb):
    @overload
    def __get__(
        self, instance: None, owner: Performs[P, Coroutine[Any, Any, R]]
    ) -> Callable[P, R]: ...
    @overload
    def __get__(self, instance: None, owner: Performs[P, R]) -> Callable[P, R]: ...
    def __get__(self, instance: None, owner: Any) -> Any:
        return self._of(owner)


class SetVerb(_Verb):
    @overload
    def __get__(
        self, instance: None, owner: Performs[P, Coroutine[Any, Any, R]]
    ) -> Configure[P, R]: ...
    @overload
    def __get__(self, instance: None, owner: Performs[P, R]) -> Configure[P, R]: ...
    def __get__(self, instance: None, owner: Any) -> Any:
        return self._of(owner)
