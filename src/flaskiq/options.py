"""The options of a Worker: which there are, and what each accepts. Pure.

A part that reads a further option declares it with :func:`declare`; a misspelt one then fails in
the ``class`` statement, with the nearest right name, and not at three in the morning.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from flaskiq.arguments import check
from flaskiq.cron.expression import CronExpression, time_zone
from flaskiq.cron.policy import CATCH_UPS, OVERLAPS
from flaskiq.errors import ArgumentError, DefinitionError

Check = Callable[[Any], bool]

_OPTIONS: dict[str, tuple[Check, str]] = {}

_HOOKS: set[str] = set()

_ELSEWHERE: Mapping[str, str] = {
    "autoretry_for": "every error is retried, up to max_retries",
    "backoff": "use retry_backoff",
    "catch_up": "use cron_catch_up",
    "cron": "use cron_schedule",
    "timezone": "use cron_timezone",
    "default_retry_delay": "use retry_delay",
    "max_attempts": "use max_retries, which does not count the first attempt",
    "priority": "use queue: critical, default and low are served in this order",
    "queue_name": "use queue",
    "retries": "use max_retries",
    "retry_until": "use retry_for, the time after the first failure",
    "throws": "use discard_on",
    "retry": "use max_retries, a number; 0 for none",
    "retry_jitter": "retries always have full jitter; use retry_backoff=False for a fixed delay",
    "schedule": "use cron_schedule",
    "timeout": "use time_limit or soft_time_limit",
    "ttl": "use expires",
}
"""Names of other job systems that a reader would take for an option of ours."""


def declare(name: str, check: Check, accepts: str) -> None:
    """Make ``name`` an option of every Worker; ``accepts`` ends the sentence "must be ..."."""
    _OPTIONS[name] = (check, accepts)


def declare_hook(name: str) -> None:
    """Make ``name`` a classmethod that a Worker may have."""
    _HOOKS.add(name)


def validate(owner: str, attributes: Mapping[str, Any]) -> None:
    """Check the attributes of a class body.

    Raises:
        DefinitionError: an option has a wrong value, or a name is nearly an option's.
    """
    for name, value in attributes.items():
        if name in _OPTIONS:
            _validate_value(owner, name, value)
        elif name in _HOOKS:
            _validate_hook(owner, name, value)
        elif isinstance(value, classmethod):
            _refuse_nearest(owner, name, _HOOKS)
        elif not name.startswith("_") and not _is_code(value):
            _refuse_lookalike(owner, name)


def _validate_value(owner: str, name: str, value: Any) -> None:
    check, accepts = _OPTIONS[name]
    try:
        valid = check(value)
    except DefinitionError as error:
        raise DefinitionError(f"{owner}.{name}: {error}") from None
    if not valid:
        raise DefinitionError(f"{owner}.{name} must be {accepts}, not {value!r}")


def _refuse_lookalike(owner: str, name: str) -> None:
    if name in _ELSEWHERE:
        raise DefinitionError(f"{owner}.{name} is not an option of a Worker; {_ELSEWHERE[name]}")
    _refuse_nearest(owner, name, {*_OPTIONS, *_HOOKS})


def _validate_hook(owner: str, name: str, value: Any) -> None:
    if not isinstance(value, classmethod):
        raise DefinitionError(f"{owner}.{name} must be a classmethod, not {value!r}")


def _refuse_nearest(owner: str, name: str, known: Iterable[str]) -> None:
    nearest = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.8)
    if nearest:
        raise DefinitionError(
            f"{owner}.{name} is not an option of a Worker; did you mean {nearest[0]!r}? "
            f"(an attribute of your own: call it _{name})"
        )


def _is_code(value: Any) -> bool:
    return callable(value) or isinstance(value, (classmethod, staticmethod, property))


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _seconds(value: Any) -> bool:
    return _number(value) and value > 0


def _positive_span(value: Any) -> bool:
    return _seconds(value) or (isinstance(value, timedelta) and value > timedelta(0))


def _errors(value: Any) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(each, type) and issubclass(each, Exception) for each in value
    )


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _cron(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        texts = [CronExpression(each).text for each in value]
        return len(set(texts)) == len(texts) > 0
    return value is None or bool(CronExpression(value))


def _names(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(
        isinstance(each, str) and bool(each.strip()) for each in value
    )


def _zone(value: Any) -> bool:
    return value is None or bool(time_zone(value))


def _tenant(value: Any) -> bool:
    return value is None or (
        isinstance(value, Mapping) and all(isinstance(field, str) for field in value)
    )


def _json_list(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and _survives(list(value), {})


def _json_mapping(value: Any) -> bool:
    return isinstance(value, Mapping) and _survives([], dict(value))


def _survives(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    try:
        check("this Worker", args, kwargs)
    except ArgumentError as error:
        raise DefinitionError(str(error)) from None
    return True


declare("queue", lambda v: isinstance(v, str) and bool(v.strip()), "the name of a queue")
declare("max_retries", _whole, "a whole number, 0 for none")
declare(
    "retry_backoff",
    lambda v: isinstance(v, bool) or _seconds(v),
    "True, False, or the factor as a number above 0",
)
declare("retry_backoff_max", _seconds, "a number of seconds above 0")
declare("retry_delay", lambda v: _number(v) and v >= 0, "a number of seconds")
declare(
    "retry_for",
    _or_none(_positive_span),
    "a number of seconds above 0, a timedelta, or None",
)
declare(
    "retry_on",
    _or_none(lambda v: _errors(v) and bool(v)),
    "a tuple of exception classes such as (OSError,), or None for all",
)
declare("discard_on", _errors, "a tuple of exception classes such as (LookupError,)")
declare("dead", lambda v: isinstance(v, bool), "True or False")
declare_hook("retry_in")
declare_hook("retries_exhausted")
declare_hook("on_success")
declare_hook("on_failure")
declare("cron_schedule", _cron, "a cron expression such as '0 2 * * *', a list of these, or None")
declare("cron_timezone", _zone, "the name of a time zone such as 'Europe/Berlin', or None")
declare("cron_args", _json_list, "a list or tuple that JSON can hold")
declare("cron_kwargs", _json_mapping, "a dict that JSON can hold, its keys texts")
declare("cron_catch_up", lambda v: v in CATCH_UPS, "'skip', 'once' or 'all'")
declare("cron_catch_up_limit", lambda v: _whole(v) and v > 0, "a whole number above 0")
declare("cron_overlap", lambda v: v in OVERLAPS, "'allow' or 'skip'")
declare(
    "cron_jitter",
    lambda v: v == 0 or _positive_span(v),
    "a number of seconds from 0 on, or a timedelta",
)
declare("cron_tenant", _tenant, "a dict such as {'organization_id': 'system'}, or None")
declare("tenant_required", lambda v: isinstance(v, bool), "True or False")
declare("after_commit", _or_none(lambda v: isinstance(v, bool)), "True, False, or None")
declare("time_limit", _or_none(_seconds), "a number of seconds above 0, or None")
declare("soft_time_limit", _or_none(_seconds), "a number of seconds above 0, or None")
declare(
    "expires",
    _or_none(_positive_span),
    "a number of seconds above 0, a timedelta, or None",
)
declare("ignore_result", _or_none(lambda v: isinstance(v, bool)), "True, False, or None")
declare("name", lambda v: isinstance(v, str) and bool(v.strip()), "a task name")
declare("aliases", _names, "a tuple of former task names")
