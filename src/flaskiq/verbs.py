"""The verbs of a Worker: ``perform_async``, ``perform_in``, ``perform_at``, ``perform_bulk``,
``perform_inline`` and ``set``, typed by the signature of its ``perform``.

Each is a descriptor that returns the method of the same name of a :class:`Setter` without options,
so that everything is written once.
"""

# ruff: noqa: SLF001 - a Worker has its setter for them

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from typing_extensions import Unpack

from flaskiq.setter import Call, CallOptions, Setter

if TYPE_CHECKING:
    from celery.result import AsyncResult

    from flaskiq.moments import Delay

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


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


class AsyncVerb:
    @overload
    def __get__(
        self, instance: None, owner: Performs[P, Coroutine[Any, Any, R]]
    ) -> Callable[P, AsyncResult[R]]: ...
    @overload
    def __get__(self, instance: None, owner: Performs[P, R]) -> Callable[P, AsyncResult[R]]: ...
    def __get__(self, instance: None, owner: Any) -> Any:
        return owner._setter.perform_async


class InVerb:
    @overload
    def __get__(
        self, instance: None, owner: Performs[P, Coroutine[Any, Any, R]]
    ) -> PerformIn[P, R]: ...
    @overload
    def __get__(self, instance: None, owner: Performs[P, R]) -> PerformIn[P, R]: ...
    def __get__(self, instance: None, owner: Any) -> Any:
        return owner._setter.perform_in


class AtVerb:
    @overload
    def __get__(
        self, instance: None, owner: Performs[P, Coroutine[Any, Any, R]]
    ) -> Callable[Concatenate[datetime, P], AsyncResult[R]]: ...
    @overload
    def __get__(
        self, instance: None, owner: Performs[P, R]
    ) -> Callable[Concatenate[datetime, P], AsyncResult[R]]: ...
    def __get__(self, instance: None, owner: Any) -> Any:
        return owner._setter.perform_at


class BulkVerb:
    @overload
    def __get__(
        self, instance: None, owner: Performs[P, Coroutine[Any, Any, R]]
    ) -> PerformBulk[R]: ...
    @overload
    def __get__(self, instance: None, owner: Performs[P, R]) -> PerformBulk[R]: ...
    def __get__(self, instance: None, owner: Any) -> Any:
        return owner._setter.perform_bulk


class InlineVerb:
    @overload
    def __get__(
        self, instance: None, owner: Performs[P, Coroutine[Any, Any, R]]
    ) -> Callable[P, R]: ...
    @overload
    def __get__(self, instance: None, owner: Performs[P, R]) -> Callable[P, R]: ...
    def __get__(self, instance: None, owner: Any) -> Any:
        return owner._setter.perform_inline


class SetVerb:
    @overload
    def __get__(
        self, instance: None, owner: Performs[P, Coroutine[Any, Any, R]]
    ) -> Configure[P, R]: ...
    @overload
    def __get__(self, instance: None, owner: Performs[P, R]) -> Configure[P, R]: ...
    def __get__(self, instance: None, owner: Any) -> Any:
        return owner._setter.set
