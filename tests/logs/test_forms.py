"""The forms of a line, and which one is chosen; what is secret in a text."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest
from celery import Celery
from flask import Flask

from flaskiq import Flaskiq, Logger
from flaskiq.logs.celery_log import CeleryLog
from flaskiq.logs.forms import MOST, TRACEBACK_MOST, JsonFormatter, TaskTextFormatter, TextFormatter
from flaskiq.logs.outcome import Outcome
from flaskiq.logs.telling import silence, tell
from flaskiq.settings.urls import mask_text

OUTCOME = Outcome("the-id", "shop.Add", "low", 2, "dead", 1.5, {"organization_id": "acme"}, "E: no")


@pytest.fixture
def shop() -> Any:
    """A logger, and what it has written as JSON."""
    logger, written = logging.getLogger("shop.forms"), io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    logger.addHandler(handler)
    logger.propagate = False
    yield logger, lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    logger.removeHandler(handler)
    logger.propagate = True


def test_a_traceback_is_one_text_that_ends_with_what_was_raised(shop: Any) -> None:
    logger, lines = shop
    error = LookupError("x" * 2 * TRACEBACK_MOST + " the end")
    logger.error("it failed", exc_info=error, stack_info=True)
    (line,) = lines()
    assert len(line["exception"]) == TRACEBACK_MOST
    assert line["exception"].endswith("x the end")
    assert line["stack"].startswith("Stack (most recent call last):")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, 7),
        (None, None),
        (1.5, 1.5),
        (float("inf"), "inf"),
        ({"a": [1, {"b": "redis://:pw@a"}]}, {"a": [1, {"b": "redis://:***@a"}]}),
        ({"a": float("nan")}, "{'a': nan}"),
        (["x" * MOST], f'["{"x" * (MOST - 5)}...'),
        ('redis://a?token=ab"', 'redis://a?token=***"'),
        (['redis://a?token=ab"'], "['redis://a?token=***\"']"),
        (ValueError("no"), "ValueError('no')"),
        (b"\xff", "b'\\xff'"),
    ],
    ids=str,
)
def test_what_is_given_as_extra_is_plain_short_and_not_secret(
    shop: Any, value: Any, expected: Any
) -> None:
    logger, lines = shop
    logger.warning("given", extra={"value": value, "time": "of the app"})
    (line,) = lines()
    assert line["value"] == expected
    assert line["time"].endswith("+00:00")


def test_the_line_about_an_outcome(shop: Any) -> None:
    logger, lines = shop
    tell(logger, logging.ERROR, OUTCOME, "%s is dead", "it")
    logger.warning("another line")
    told, other = lines()
    assert {name: told[name] for name in OUTCOME.fields()} == OUTCOME.fields()
    assert told["message"] == "it is dead"
    assert "outcome" not in other


def test_an_outcome_as_text() -> None:
    assert str(OUTCOME) == " outcome=dead queue=low attempt=2 duration=1.500000"
    assert str(OUTCOME._replace(is_named=False)).startswith(
        " worker=shop.Add job_id=the-id outcome"
    )
    assert str(Outcome("the-id", None, None, None, "dead")) == " outcome=dead"


def test_what_is_told_elsewhere_is_silent_here_only(shop: Any) -> None:
    logger, lines = shop
    with silence(logger):
        logger.warning("not this")
    Logger.info(message="of another logger")
    logger.warning("but this")
    assert [line["message"] for line in lines()] == ["but this"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no url", "no url"),
        ("to redis://:pw@a:1/0.", "to redis://:***@a:1/0."),
        ("to 'rediss://app:pw@a', amqp://u:p@b", "to 'rediss://app:***@a', amqp://u:***@b"),
        ("sentinel://:one@a;sentinel://:two@b", "sentinel://:***@a;sentinel://:***@b"),
        ("see https://a.org/@b?c=d@e", "see https://a.org/@b?c=d@e"),
        ("https://token@a.org/x", "https://***@a.org/x"),
        ("http://a/?password=x&b=1 http://b", "http://a/?password=***&b=1 http://b"),
        ("mail me@example.org", "mail me@example.org"),
    ],
)
def test_passwords_of_urls_in_a_text_are_masked(text: str, shown: str) -> None:
    assert mask_text(text) == shown


def celery_with(**config: Any) -> tuple[Flask, Any]:
    """Return an app, which has to be kept, and its Celery app."""
    app = Flask("forms")
    app.config.update(config, FLASKIQ_WORKERS=[])
    celery: Any = Flaskiq(app).celery
    return app, celery


def formatter_of(celery: Any, name: str, **how: Any) -> Any:
    """Return the formatter that a new logger is given."""
    logger = logging.Logger(name)
    celery.log.setup_handlers(logger, None, celery.log.format, False, **how)
    return logger.handlers[0].formatter


def test_the_form_is_text_unless_json_is_asked_for() -> None:
    _app, celery = celery_with()
    assert type(formatter_of(celery, "text")) is TextFormatter
    how = {"formatter": celery.log.setup_task_loggers.__globals__["TaskFormatter"]}
    assert type(formatter_of(celery, "task", **how)) is TaskTextFormatter
    _json_app, json_celery = celery_with(FLASKIQ_LOG_FORMAT="json")
    assert type(formatter_of(json_celery, "json")) is JsonFormatter
    assert type(formatter_of(json_celery, "task", **how)) is JsonFormatter


@pytest.mark.parametrize(
    "own",
    [
        {"CELERY_WORKER_LOG_FORMAT": "own %(message)s"},
        {"CELERY": {"worker_log_format": "own %(message)s"}},
    ],
    ids=["setting", "CELERY"],
)
def test_a_format_of_somebody_s_own_comes_before(own: dict[str, Any]) -> None:
    _app, celery = celery_with(FLASKIQ_LOG_FORMAT="json", **own)
    formatter = formatter_of(celery, "own")
    assert type(formatter) is TextFormatter
    record = logging.LogRecord("a", logging.INFO, "", 0, "to redis://:pw@a", (), None)
    assert formatter.format(record) == "own to redis://:***@a"


@pytest.mark.parametrize("datefmt", [None, "%H:%M"])
def test_the_time_is_logging_s(datefmt: str | None) -> None:
    ours, theirs = TextFormatter("%(asctime)s"), logging.Formatter("%(asctime)s", datefmt)
    ours.datefmt = datefmt
    record = logging.LogRecord("a", logging.INFO, "", 0, "", (), None)
    for created in (1_700_000_000.0, 1_700_000_000.25, 1_700_000_001.999, 1_700_000_000.5, 0.0):
        record.created, record.msecs = created, created % 1 * 1000
        assert ours.format(record) == theirs.format(record)


def test_an_app_with_a_logging_setup_of_its_own_keeps_it() -> None:
    own = Celery("own", log="celery.app.log:Logging", set_as_current=False)
    assert isinstance(_adopt(own).log, CeleryLog)

    class Other(CeleryLog):
        pass

    other = Celery("other", log=Other, set_as_current=False)
    assert type(_adopt(other).log) is Other


def _adopt(celery: Celery) -> Any:
    app = Flask("adopts")
    app.config["FLASKIQ_WORKERS"] = []
    Flaskiq(app, celery=celery)
    return celery
