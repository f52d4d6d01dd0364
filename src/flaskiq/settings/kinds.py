"""The kinds of value that a setting can have: how each is read and how it is described. Pure.

A parser takes the text of an environment variable or a Python value of Flask config, and raises
``ValueError``, ``TypeError`` or ``LookupError`` for anything else. ``None`` reaches it only from
the ``CELERY`` dict, where Celery reads it as "off".
"""

from __future__ import annotations

import logging
import math
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from celery.app.task import Context
from kombu.utils.imports import symbol_by_name

from flaskiq.errors import SettingError
from flaskiq.job import RESERVED_HEADERS
from flaskiq.settings.urls import split_urls
from flaskiq.tenant import Tenant

DISABLED = "disabled://"
"""The result backend of Celery that keeps nothing."""


@dataclass(frozen=True)
class Kind:
    """How a value is read; ``expects`` ends the sentence "expected ..."."""

    expects: str
    parse: Callable[[Any], Any]
    blank: bool = False
    """An empty text is a value, and not the same as "not set"."""
    flask_only: bool = False
    """Has no form as text, so only Flask config can hold it."""


_SWITCH = dict.fromkeys(("1", "true", "yes", "on"), True)
_SWITCH |= dict.fromkeys(("0", "false", "no", "off"), False)


def _switch(value: Any) -> bool:
    return _SWITCH[str(value).strip().lower()]


def _prefix(value: Any) -> str:
    if not re.fullmatch(r"(/[\w.~-]+)+/?", value):
        raise ValueError(value)
    return str(value).rstrip("/")


def _number(value: Any) -> float:
    number = float(value)
    if isinstance(value, bool) or not math.isfinite(number):
        raise ValueError(value)
    return number


def _integer(value: Any) -> int:
    number = _number(value)
    if not number.is_integer():
        raise ValueError(value)
    return int(number)


def _count(value: Any) -> int | None:
    if value is None:
        return None
    if (count := _integer(value)) < 1:
        raise ValueError(value)
    return count


def _whole(value: Any) -> int:
    if (number := _integer(value)) < 0:
        raise ValueError(value)
    return number


def _port(value: Any) -> int | None:
    # Kubernetes sets METRICS_PORT for a Service called metrics, and means something else by it.
    if isinstance(value, str) and value.startswith("tcp://"):
        return None
    if (port := _integer(value)) not in range(2**16):
        raise ValueError(value)
    return port or None


def _ahead(value: Any) -> int:
    if (count := _integer(value)) < 0:
        raise ValueError(value)
    return count


def _processes(value: Any) -> int | str | None:
    return "auto" if str(value).strip().lower() == "auto" else _count(value)


def tidy(number: float) -> float:
    """Return 500 for 500.0: Redis and people read whole seconds more easily."""
    return int(number) if float(number).is_integer() else number


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    seconds = value.total_seconds() if isinstance(value, timedelta) else _number(value)
    if seconds < 0:
        raise ValueError(value)
    return tidy(seconds) or None


def _at_least_a_second(value: Any) -> float:
    if (seconds := _seconds(value) or 0) < 1:
        raise ValueError(value)
    return seconds


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()]
    if not isinstance(value, (list, tuple)):
        raise TypeError(value)
    names = tuple(part.strip() for part in value if isinstance(part, str))
    if len(names) < len(value) or len(set(names)) < len(names):
        raise ValueError(value)
    return names


def _modules(value: Any) -> tuple[str, ...]:
    names = _names(value)
    if not all(part.isidentifier() for name in names for part in name.split(".")):
        raise ValueError(value)
    return names


def queue_names(value: Any) -> tuple[str, ...]:
    """Return the names in any form of ``task_queues``: names, kombu Queues or a mapping."""
    if not isinstance(value, str):
        value = [getattr(queue, "name", queue) for queue in value]
    names = _names(value)
    if not names or not all(name.isprintable() and name.split() == [name] for name in names):
        raise ValueError(value)
    return names


def _weights(value: Any) -> Mapping[str, int]:
    if not isinstance(value, Mapping):
        parts = [part.split("=") for part in _names(value)]
        value = {name.strip(): weight for name, weight in parts}
        if len(value) < len(parts):
            raise ValueError(value)
    weights = {str(queue): _integer(weight) for queue, weight in value.items()}
    if not weights or min(weights.values()) < 1:
        raise ValueError(value)
    return MappingProxyType(weights)


def _zone(value: Any) -> str | tzinfo:
    if isinstance(value, tzinfo):
        return value
    try:
        return ZoneInfo(value.strip()).key
    except (AttributeError, OSError) as error:
        raise ValueError(value) from error


def _broker(value: Any) -> str:
    url = ";".join(value) if isinstance(value, (list, tuple)) else value.strip()
    for part in split_urls(url):
        _check_redis(part)
    return str(url)


_REDIS = ("redis", "rediss", "redis+socket", "sentinel")


def _check_redis(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in _REDIS or not url.startswith(f"{parts.scheme}://"):
        raise ValueError("no Redis")
    database = parts.path.strip("/")
    if parts.scheme == "redis+socket":
        return
    if parts.port == 0 or parts.fragment or not (database.isdigit() or not database):
        raise ValueError("no port or database")


def _results(value: Any) -> str:
    url = (value or "").strip()
    if url in ("", "disabled", DISABLED):
        return DISABLED
    if urlsplit(url).scheme in _REDIS:
        return _broker(url)
    if "://" not in url:
        raise ValueError("no URL")
    return str(url)


def _switch_or_none(value: Any) -> bool | None:
    return None if value is None else _switch(value)


def _log_format(value: Any) -> str:
    logging.Formatter(value)  # a ValueError if it shows nothing of a record
    return str(value)


def _options(value: Any) -> tuple[str, ...]:
    return tuple(shlex.split(value) if isinstance(value, str) else map(str, value))


def _fields(value: Any) -> tuple[str, ...]:
    names = _names(value)
    taken = {*RESERVED_HEADERS, *vars(Context)}
    for name in names:
        if (
            not name.isidentifier()
            or name.startswith("_")
            or name in taken
            or hasattr(Tenant, name)
        ):
            raise ValueError(value)
    if not names:
        raise ValueError(value)
    return names


def _pairs(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        parts = [part.split("=") for part in _names(value)]
        value = {name.strip(): each.strip() for name, each in parts}
        if len(value) < len(parts):
            raise ValueError(value)
    if not all(isinstance(name, str) for name in value):
        raise TypeError(value)
    return MappingProxyType(dict(value))


def _variables(value: Any) -> Mapping[str, str]:
    variables = _pairs(value)
    if not all(_VARIABLE.fullmatch(name) for name in variables.values()):
        raise ValueError(value)
    return variables


_VARIABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def _object(value: Any) -> Any:
    """Callables as they are, names unread: their module may need the app first."""
    if callable(value):
        return value
    module, _, name = value.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
        raise ValueError(value)
    return value


def resolve(setting: str, value: Any) -> Any:
    """Return the object of a setting of kind :data:`OBJECT`.

    Raises:
        SettingError: there is no such module, or nothing of that name in it.
    """
    if not isinstance(value, str):
        return value
    try:
        return symbol_by_name(value)
    except (ImportError, AttributeError) as error:
        raise SettingError(f"{setting} = {value!r} cannot be loaded: {error}") from error


def _celery(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(value)
    return MappingProxyType(dict(value))


def one_of(*words: str) -> Kind:
    """Return the kind of a setting that is one of a few words."""
    return Kind(" or ".join(words), lambda value: words[words.index(value.strip().lower())])


TEXT = Kind("a text", str.strip)
BOOL = Kind("true or false (also 1, yes, on, 0, no, off)", _switch)
BOOL_OR_NONE = Kind(BOOL.expects, _switch_or_none)
INTEGER = Kind("a whole number", _integer)
FLOAT = Kind("a number", _number)
COUNT = Kind("a whole number, at least 1", _count)
WHOLE = Kind("a whole number, 0 for none", _whole)
PORT = Kind("a port such as 8080, 0 for none", _port)
AHEAD = Kind("a whole number, 0 for no limit", _ahead)
PROCESSES = Kind("a whole number, at least 1, or auto", _processes)
SECONDS = Kind("a number of seconds, 0 for no limit", _seconds)
PERIOD = Kind("a number of seconds, at least 1", _at_least_a_second)
LEVEL = one_of("debug", "info", "warning", "error", "critical", "fatal")
FIELDS = Kind("names such as organization_id,user_id, each once and none that Celery uses", _fields)
TENANT = Kind("fields of a tenant such as organization_id=7,user_id=9", _pairs)
VARIABLES = Kind(
    "fields with settings of PostgreSQL such as organization_id=app.current_organization",
    _variables,
)
PREFIX = Kind("the beginning of a path such as /jobs", _prefix)
OBJECT = Kind("a function, or its place such as shop.users:current", _object)
LOG_FORMAT = Kind("a format of Python's logging such as [%(levelname)s] %(message)s", _log_format)
OPTIONS = Kind("options as on the command line, quotes closed", _options)
MODULES = Kind("names of packages such as workers,shop.workers, each once", _modules)
QUEUES = Kind("names of queues such as critical,default,low, each once", queue_names)
WEIGHTS = Kind("weights of queues such as critical=6,default=3,low=1, at least 1", _weights)
ZONE = Kind("the name of a time zone such as UTC or Europe/Berlin", _zone)
BROKER = Kind(
    "the URL of a Redis or Valkey such as redis://:password@localhost:6379/0 (also rediss://, "
    "redis+socket://, sentinel://), special characters in the password percent-encoded",
    _broker,
)
RESULTS = Kind(
    "the URL of a result backend such as redis://localhost:6379/0, or disabled:// to keep no "
    "results",
    _results,
    blank=True,
)
CELERY = Kind("a dict of lower-case Celery settings", _celery, flask_only=True)
