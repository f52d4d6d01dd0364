"""Setter: a Worker with options for one call (Sidekiq's word), and how its jobs are enqueued."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from typing_extensions import TypedDict, Unpack

from flaskiq import arguments, current, moments
from flaskiq.errors import ArgumentError, TenantError, did_you_mean
from flaskiq.job import MAX_RETRIES_HEADER, RESERVED_HEADERS, Job, new_id
from flaskiq.moments import Delay

if TYPE_CHECKING:
    from celery.result import AsyncResult

    from flaskiq.current import State
    from flaskiq.verbs import PerformIn
    from flaskiq.worker import Worker

P = ParamSpec("P")
R = TypeVar("R")

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
    tenant: Mapping[str, Any] | None
    after_commit: bool | Any


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
        - ``tenant``: on whose behalf, in place of the current one; None for nobody's.
        - ``after_commit``: True enqueues when the open transaction is committed, or never; also the
          session of SQLAlchemy whose transaction is meant.

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
        return self._push(args, kwargs, self._start() if self._options else None)

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
        return self._push(args, kwargs, _not_past(moments.now() + moments.span(delay)))

    def perform_at(self, run_at: datetime, /, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """Enqueue one job that starts at ``run_at``; the past means now.

        A naive datetime is local time of this process.
        """
        return self._push(args, kwargs, _not_past(moments.instant(run_at)))

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
        listed, state = list(calls), current.state()
        headers = self._headers(state)
        jobs = [
            self._bulk_job(state, index, call, start, headers)
            for index, (call, start) in enumerate(
                zip(listed, self._starts(at, len(listed)), strict=True)
            )
        ]
        return state.client.push(self._worker, jobs, after_commit=self._options.get("after_commit"))

    def perform_inline(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the job here and now, as a worker would: JSON round trip, app context, current job.

        Returns what ``perform`` returns; its errors are raised as they are, nothing is retried.
        """
        state = current.state()
        job = self._job(state, args, kwargs, None, self._headers(state))
        result: R = state.perform_inline(self._worker, job)
        return result

    def job(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Job:
        """Return the job of a call, enqueued nowhere."""
        state = current.state()
        return self._job(state, args, kwargs, self._start(), self._headers(state))

    def _push(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], start: datetime | None
    ) -> AsyncResult[Any]:
        state = current.state()
        job = self._job(state, args, kwargs, start, self._headers(state))
        after_commit = self._options.get("after_commit")
        return state.client.push(self._worker, [job], after_commit=after_commit)[0]

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

    def _bulk_job(
        self,
        state: State,
        index: int,
        call: Call,
        start: datetime | None,
        headers: Mapping[str, Any],
    ) -> Job:
        try:
            args, kwargs = _split(call)
            return self._job(state, args, kwargs, start, headers)
        except ArgumentError as error:
            raise ArgumentError(f"perform_bulk, job {index}: {error}") from error

    def _headers(self, state: State) -> Mapping[str, Any]:
        """The headers that all jobs of a call have: for whom they are, and what was set."""
        options = self._options
        headers = current.tenant_of(state).headers()
        if "tenant" in options:
            headers = self._named(state, options["tenant"])
        if "headers" in options:
            headers.update(options["headers"])
        if "max_retries" in options:
            headers[MAX_RETRIES_HEADER] = options["max_retries"]
        return headers

    def _named(self, state: State, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """The headers of a tenant that the call names."""
        tenancy = state.tenancy
        if given is None:
            return tenancy.headers(tenancy.none)
        return tenancy.headers(tenancy.over(current.tenant_of(state), given))

    def _job(
        self,
        state: State,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        start: datetime | None,
        headers: Mapping[str, Any],
    ) -> Job:
        worker, options, tenancy = self._worker, self._options, state.tenancy
        expires = options.get("expires", worker.expires)
        if kwargs and (given := tenancy.named(kwargs, worker.parameters())):
            kwargs = {name: value for name, value in kwargs.items() if name not in given}
            others = {name: headers[name] for name in headers if name not in tenancy.fields}
            headers = {**others, **self._named(state, given), **options.get("headers", {})}
        worker.check_arguments(args, kwargs)
        if worker.tenant_required and not headers.get(tenancy.key):
            raise TenantError.of(worker.__name__, tenancy.key)
        return Job(
            new_id(),
            worker=worker.task_name(),
            args=args,
            kwargs=kwargs,
            queue=options.get("queue"),
            at=start,
            expires=None if expires is None else _expiry(expires, start),
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


def _expiry(expires: Delay | datetime, start: datetime | None) -> datetime:
    if isinstance(expires, datetime):
        return moments.instant(expires, "expires")
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
    if name == "tenant" and not (value is None or isinstance(value, Mapping)):
        raise ArgumentError(
            f"tenant must be a dict such as {{'organization_id': 7}}, or None, not {value!r}"
        )


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
