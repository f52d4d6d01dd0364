"""Which arguments a job can carry: what comes back from JSON as it went in. Pure.

Beside JSON's own types these are datetime, date, time, UUID and Decimal, which kombu's JSON
carries with their type. A tuple would come back as a list, an int key as a string: both are
refused here, in the caller's traceback, instead of surprising ``perform`` on another machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from kombu.utils import json

from flaskiq.errors import ArgumentError

_PLAIN = (str, bool, int, type(None), date, time, UUID, Decimal)  # a datetime is a date

_SCALARS = frozenset((str, bool, int, type(None)))
_STRINGS = frozenset((str,))


def check(worker: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Check every argument of a call of ``worker``.

    Raises:
        ArgumentError: naming the argument, the place within it and what to pass instead.
    """
    for position, value in enumerate(args):
        _check(value, worker, f"argument {position + 1}")
    for name, value in kwargs.items():
        _check(value, worker, f"argument {name!r}")


def are_plain(values: Iterable[Any]) -> bool:
    """Whether all surely survive: most arguments do, and :func:`check` costs more."""
    for value in values:
        kind = type(value)
        if kind in _SCALARS:
            continue
        if kind is float:
            is_plain = math.isfinite(value)
        elif kind is list:
            is_plain = are_plain(value)
        elif kind is dict:
            is_plain = set(map(type, value)) <= _STRINGS and are_plain(value.values())
        else:
            return False
        if not is_plain:
            return False
    return True


def round_trip(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments as a worker process receives them: fresh copies through JSON."""
    received_args, received_kwargs = json.loads(json.dumps((list(args), dict(kwargs))))
    return received_args, received_kwargs


def _check(value: Any, worker: str, place: str) -> None:
    if isinstance(value, _PLAIN):
        return
    if isinstance(value, float):
        if math.isfinite(value):
            return
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, worker, f"{place}[{index}]")
        return
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ArgumentError(
                    f"{worker}: {place} has the key {key!r}; JSON turns keys into strings, "
                    f"so pass {str(key)!r}"
                )
            _check(item, worker, f"{place}[{key!r}]")
        return
    raise ArgumentError(f"{worker}: {place} cannot travel as JSON: {_advice(value)}")


def _advice(value: Any) -> str:
    if isinstance(value, float):
        return f"JSON has no {value!r}; pass None or a finite number"
    kind = type(value).__name__
    if isinstance(value, (tuple, set, frozenset)):
        return f"a {kind} would come back as a list; pass a list"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"{kind} is not text; store it and pass its key, or pass base64 text"
    return f"{kind} is not plain data; pass its id and load it in perform"
