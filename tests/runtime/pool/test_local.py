"""Celery's strategies in a child: made for the jobs that need them, and anew when that changes."""

from __future__ import annotations

from types import ModuleType

import pytest

from flaskiq.runtime.pool.events import Events
from flaskiq.runtime.pool.local import LocalConsumer

NAME = "pool_jobs.Echo"


@pytest.fixture
def consumer(pool_jobs: ModuleType) -> LocalConsumer:
    app = pool_jobs.celery_app
    return LocalConsumer(app, "node@here", Events(app, "node@here"))


def test_a_strategy_is_made_when_a_job_needs_it(
    consumer: LocalConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = consumer.app.tasks[NAME]
    monkeypatch.setattr(task, "__trace__", None)
    assert consumer.strategies == {}
    strategy = consumer.strategies[NAME]
    assert consumer.strategies[NAME] is strategy
    assert list(consumer.strategies) == [NAME]
    assert task.__trace__ is not None, "Celery's way to run it asks for it"


def test_what_a_strategy_knows_is_learnt_anew(consumer: LocalConsumer) -> None:
    strategy = consumer.strategies[NAME]
    consumer.learn()
    assert consumer.strategies[NAME] is not strategy


def test_a_task_that_nobody_knows_has_none(consumer: LocalConsumer) -> None:
    with pytest.raises(KeyError) as unknown:
        consumer.strategies["nobody.Knows"]
    assert repr(unknown.value) == "KeyError('nobody.Knows')", "as of any dict: signals tell of it"
    assert consumer.strategies == {}
