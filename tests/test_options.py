"""The options of a Worker, checked by its class statement."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flaskiq import DefinitionError, Worker


def define(**attributes: Any) -> type[Worker]:
    """Define a Worker class with these attributes."""
    perform = classmethod(lambda cls: None)
    return type("Example", (Worker,), {"perform": perform, **attributes})


def test_the_defaults_are_those_of_flask_react_template() -> None:
    class Example(Worker):
        @classmethod
        def perform(cls) -> None: ...

    assert (Example.queue, Example.max_retries, Example.cron_schedule) == ("default", 3, None)
    assert (Example.retry_backoff, Example.retry_backoff_max) == (True, 600)
    assert Example.retry_delay == 10


@pytest.mark.parametrize(
    "option",
    [
        {"queue": "critical"},
        {"max_retries": 0},
        {"retry_backoff": False},
        {"retry_backoff": 2.5},
        {"retry_delay": 0},
        {"cron_schedule": "*/15 * * * *"},
        {"cron_schedule": None},
        {"cron_schedule": ["0 2 * * *", "@weekly"], "cron_timezone": "Europe/Berlin"},
        {"cron_args": (1, "two"), "cron_kwargs": {"three": [3]}},
        {"cron_catch_up": "all", "cron_catch_up_limit": 3, "cron_overlap": "skip"},
        {"cron_jitter": 0},
        {"cron_jitter": timedelta(minutes=5)},
        {"aliases": ("shop.Old",)},
        {"time_limit": 60, "soft_time_limit": 50},
        {"expires": timedelta(hours=1)},
        {"expires": 0.5},
        {"ignore_result": True},
        {"retry_for": 3600, "dead": False},
        {"retry_for": timedelta(days=1)},
        {"retry_on": (OSError,), "discard_on": (FileNotFoundError, LookupError)},
        {"name": "billing.Charge"},
        {"API_URL": "http://localhost", "chunk_size": 10, "_max_retry": 1, "helper": len},
    ],
)
def test_accepts(option: dict[str, Any]) -> None:
    assert all(getattr(define(**option), name) == value for name, value in option.items())


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"max_retry": 3}, "max_retry is not an option of a Worker; did you mean 'max_retries'"),
        ({"retry_for": 0}, "number of seconds above 0, a timedelta, or None"),
        ({"retry_on": OSError}, "retry_on must be a tuple of exception classes"),
        ({"retry_on": ()}, "or None for all"),
        ({"discard_on": ("OSError",)}, "discard_on must be a tuple of exception classes"),
        ({"discard_on": (KeyboardInterrupt,)}, "discard_on must be a tuple of exception classes"),
        ({"dead": None}, "dead must be True or False"),
        ({"retry_exhausted": classmethod(lambda cls, j, e: 1)}, "mean 'retries_exhausted'"),
        ({"retry_until": 10}, "use retry_for"),
        ({"retry_in": 10}, "retry_in must be a classmethod"),
        ({"retry_in": lambda attempt, exc: 1}, "retry_in must be a classmethod"),
        ({"retryin": classmethod(lambda cls, a, e: 1)}, "did you mean 'retry_in'"),
        ({"cron_shedule": "@daily"}, "did you mean 'cron_schedule'"),
        ({"retry_backof_max": 3}, "did you mean 'retry_backoff_max'"),
        ({"Queue": "low"}, "did you mean 'queue'"),
        ({"retries": 3}, "use max_retries"),
        ({"cron": "@daily"}, "use cron_schedule"),
        ({"priority": 1}, "use queue: critical, default and low"),
        ({"autoretry_for": (OSError,)}, "every error is retried"),
        ({"max_retries": None}, "max_retries must be a whole number, 0 for none, not None"),
        ({"max_retries": -1}, "whole number"),
        ({"max_retries": True}, "whole number"),
        ({"max_retries": 2.0}, "whole number"),
        ({"queue": ""}, "queue must be the name of a queue"),
        ({"queue": None}, "queue must be the name of a queue"),
        ({"retry_backoff": 0}, "True, False, or the factor"),
        ({"retry_backoff": None}, "True, False, or the factor"),
        ({"retry_backoff_max": 0}, "seconds above 0"),
        ({"retry_delay": -1}, "number of seconds"),
        ({"retry_delay": "10"}, "number of seconds"),
        ({"time_limit": 0}, "seconds above 0"),
        ({"time_limit": 10, "soft_time_limit": 20}, "the soft limit comes first"),
        ({"expires": timedelta(0)}, "seconds above 0"),
        ({"ignore_result": 1}, "True, False, or None"),
        ({"cron_schedule": "61 * * * *"}, "Example.cron_schedule: "),
        ({"cron_schedule": "* * * *"}, "Example.cron_schedule: "),
        ({"cron_schedule": "@dayly"}, "@daily"),
        ({"cron_schedule": 5}, "Example.cron_schedule: "),
        ({"cron_schedule": []}, "cron_schedule must be a cron expression"),
        ({"cron_schedule": ["@daily", "@daily"]}, "a list of these"),
        ({"cron_schedule": ["@daily", "61 * * * *"]}, "Example.cron_schedule: "),
        ({"cron_timezone": "Europe/Berln"}, "did you mean 'Europe/Berlin'"),
        ({"cron_args": "report"}, "cron_args must be a list or tuple"),
        ({"cron_args": (object(),)}, "Example.cron_args: "),
        ({"cron_kwargs": {"at": timedelta(1)}}, "Example.cron_kwargs: "),
        ({"cron_catch_up": "twice"}, "cron_catch_up must be 'skip', 'once' or 'all'"),
        ({"cron_catch_up_limit": 0}, "a whole number above 0"),
        ({"cron_overlap": "forbid"}, "cron_overlap must be 'allow' or 'skip'"),
        ({"cron_jitter": -1}, "a number of seconds from 0 on"),
        ({"catch_up": "all"}, "use cron_catch_up"),
        ({"timezone": "UTC"}, "use cron_timezone"),
        ({"aliases": "shop.Old"}, "a tuple of former task names"),
    ],
)
def test_refuses(option: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match="Example") as caught:
        define(**option)
    assert message in str(caught.value)


def test_an_option_is_checked_against_the_inherited_ones() -> None:
    base = define(time_limit=10)
    with pytest.raises(DefinitionError, match="soft_time_limit"):
        type("Child", (base,), {"soft_time_limit": 20})


def test_perform_must_be_a_classmethod() -> None:
    with pytest.raises(DefinitionError, match="@classmethod"):
        type("Example", (Worker,), {"perform": lambda self: None})


def test_perform_must_not_be_a_generator() -> None:
    def perform(cls: type[Worker]) -> Any:
        yield 1

    with pytest.raises(DefinitionError, match="yield"):
        define(perform=classmethod(perform))


def test_perform_must_leave_delay_seconds_to_perform_in() -> None:
    def perform(cls: type[Worker], delay_seconds: int) -> None: ...

    with pytest.raises(DefinitionError, match="delay_seconds"):
        define(perform=classmethod(perform))


def test_the_task_name_is_module_and_class_unless_named() -> None:
    assert define().task_name() == f"{define().__module__}.Example"
    named = define(name="billing.Charge")
    assert named.task_name() == "billing.Charge"
    child = type("Child", (named,), {})
    assert child.task_name().endswith(".Child")
