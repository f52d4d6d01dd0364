"""Asked: functions of this package that can be asked alone, or together with others."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Generic, ParamSpec, TypeVar

from flaskiq import current
from flaskiq.store.reading import Reading

T = TypeVar("T")
P = ParamSpec("P")


class asked(Generic[P, T]):  # noqa: N801 - a decorator
    """Makes a reading a function that asks the current app's Redis.

    ``numbers()`` makes its trips and returns; ``numbers.reading()`` is to be asked together with
    others (:func:`flaskiq.store.reading.together`).
    """

    def __init__(self, function: Callable[P, Reading[T]]) -> None:
        self.reading = function
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Ask it alone."""
        return current.state().store.ask(self.reading(*args, **kwargs))
