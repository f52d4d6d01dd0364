"""``CELERY_*`` variables that act on nothing are told; those of others are left alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import celery
import click
import pytest
from celery.bin.celery import celery as program
from flask import Flask

from flaskiq.settings import Settings
from flaskiq.settings.table import NAMES
from flaskiq.settings.unread import OF_ALL_PROGRAMS, READ_BY_CELERY, options_of_celery


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return Flask("shop", root_path=str(tmp_path))


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("CELERY_WORKER_CONCURENCY", "did you mean 'CELERY_WORKER_CONCURRENCY'?"),
        ("CELERY_WORKER_QUEUE", "did you mean 'CELERY_WORKER_QUEUES'?"),
        ("CELERY_RESULT_EXPIRE", "did you mean 'CELERY_RESULT_EXPIRES'?"),
        ("CELERY_BROKERURL", "did you mean 'CELERY_BROKER_URL'?"),
        ("CELERY_OPTIMIZATION", "use CELERY_WORKER_OPTIMIZATION"),
        ("CELERY_PREFETCH_MULTIPLIER", "use CELERY_WORKER_PREFETCH_MULTIPLIER"),
        ("CELERY_LOGLEVEL", "use CELERY_WORKER_LOGLEVEL"),
        ("CELERY_TIME_LIMIT", "use CELERY_TASK_TIME_LIMIT"),
        ("CELERY_DISABLE_RATE_LIMITS", "use CELERY_WORKER_DISABLE_RATE_LIMITS"),
        ("CELERY_QUEUES", "use FLASKIQ_QUEUES"),
        ("CELERY_TASK_ALWAYS_EAGER", "set 'task_always_eager' in the CELERY dict"),
        ("CELERY_ACKS_LATE", "set 'task_acks_late' in the CELERY dict"),
        ("CELERY_RESULT_PERSISTENT", "use CELERY_RESULT_EXPIRES"),
        ("CELERY_CHORD_UNLOCK_MAX_RETRIES", "use CELERY_RESULT_CHORD_EXPIRES"),
        ("CELERY_BROKER", "use CELERY_BROKER_URL"),
    ],
)
@pytest.mark.parametrize("place", ["environment", ".env"])
def test_a_name_that_nothing_reads_is_told_with_the_right_one(
    app: Flask, name: str, advice: str, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    environ = {name: "1"} if place == "environment" else {}
    dotenv = Path(app.root_path, ".env")
    dotenv.write_text(f"{name}=1\n" if place == ".env" else "")
    Settings.load(app, environ)
    (message,) = caplog.messages
    where = "environment" if place == "environment" else dotenv
    assert message.startswith(f"{name} ({where}) is not read by Flaskiq: ")
    assert advice in message


def test_the_value_is_not_shown(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    Settings.load(app, {"CELERY_BROKERURL": "redis://:s3cret@h"})
    assert "s3cret" not in caplog.text


OF_OTHERS = [
    # Init scripts and unit files
    "CELERYD_CONCURRENCY", "CELERYD_OPTS", "CELERYBEAT_OPTS", "CELERY_BIN", "CELERY_CREATE_DIRS",
    # Kubernetes, for Services called celery, celery-worker, flaskiq
    "CELERY_SERVICE_HOST", "CELERY_SERVICE_PORT_METRICS", "CELERY_WORKER_PORT", "FLASKIQ_PORT",
    "CELERY_WORKER_PORT_9540_TCP", "CELERY_WORKER_PORT_9540_TCP_ADDR", "FLASKIQ_SERVICE_PORT",
    # An app's own
    "CELERY_DASHBOARD_PASSWORD", "CELERY_ROLE", "CELERY_TEST_BROKER", "CELERY_HOME",
]  # fmt: skip


def test_what_others_read_is_no_mistake(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    names = {*OF_OTHERS, *options_of_celery(), *READ_BY_CELERY} - NAMES - {"CELERY_BROKER"}
    Settings.load(app, dict.fromkeys(names, "1"))
    assert caplog.messages == []


def test_what_celery_reads_from_the_environment_only_is_told_in_dotenv(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    Path(app.root_path, ".env").write_text("CELERY_WORKER_POOL=threads\nCELERY_ROLE=main\n")
    Settings.load(app, {})
    (message,) = caplog.messages
    assert message.startswith("CELERY_WORKER_POOL (")
    assert "CELERY_WORKER_OPTS" in message


# What is known of Celery is so


def variables(command: click.Command, context: click.Context) -> Iterator[str]:
    """The names that click looks up."""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield f"{context.auto_envvar_prefix}_{str(parameter.name).upper()}"
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from variables(each, click.Context(each, parent=context, info_name=name))


def test_the_options_of_celery_are_known() -> None:
    context = click.Context(program, info_name="celery", auto_envvar_prefix="CELERY")
    read = set(variables(program, context))
    assert read <= options_of_celery()
    assert {f"CELERY_{str(option.name).upper()}" for option in program.params} == OF_ALL_PROGRAMS


def test_what_celery_reads_itself_is_known() -> None:
    source = "".join(path.read_text() for path in Path(celery.__file__).parent.rglob("*.py"))
    read = set(re.findall(r"(?:environ(?:\.get\(|\[)|_env\()'(CELERY_\w+)'", source))
    own = {"CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "CELERY_LOADER", "CELERY_SKIP_CHECKS"}
    assert read - own == READ_BY_CELERY
