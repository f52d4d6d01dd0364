"""The order in which queues are served."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from flask import Flask
from processes import Project

from flaskiq import Flaskiq
from flaskiq.broker.order import WeightedCycle
from flaskiq.errors import SettingError


def cycle(**weights: int) -> WeightedCycle:
    cycle = WeightedCycle(weights)
    cycle.update(["critical", "default", "low"])
    return cycle


def test_a_queue_is_in_front_as_often_as_its_weight_says() -> None:
    order = cycle(critical=6, default=3)
    front = Counter(order.consume(3)[0] for _ in range(5000))
    assert front["critical"] == pytest.approx(3000, rel=0.1)
    assert front["default"] == pytest.approx(1500, rel=0.15)
    assert front["low"] == pytest.approx(500, rel=0.25)


def test_every_queue_is_asked_in_each_fetch() -> None:
    order = cycle(critical=1000)
    for _ in range(100):
        assert sorted(order.consume(3)) == ["critical", "default", "low"]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("critcal=6", "did you mean 'critical'"),
        ("critical=0", "weights of queues"),
        ("critical", "weights of queues"),
        ("critical=2,critical=3", "weights of queues"),
    ],
)
def test_wrong_weights_are_refused(weights: str, message: str) -> None:
    app = Flask("weights")
    app.config["FLASKIQ_QUEUE_WEIGHTS"] = weights
    with pytest.raises(SettingError, match=message):
        Flaskiq(app)


APP = """
import os, redis
from flask import Flask
from flaskiq import Flaskiq, Worker
app = Flask("ordered")
app.config["FLASKIQ_WORKERS"] = [__name__]
flaskiq = Flaskiq(app)
celery_app = flaskiq.celery
class Note(Worker):
    @classmethod
    def perform(cls, queue):
        with redis.Redis.from_url(celery_app.conf.broker_url) as client:
            client.rpush("order", queue)
"""
FILL = """
from ordered import Note
for queue in ("low", "default", "critical"):
    Note.set(queue=queue).perform_bulk([(queue,)] * {each})
"""


def order_of(project: Project, store: Any, each: int, wanted: int, **env: str) -> list[str]:
    """Fill the queues from the lowest on, and return the queues of the first jobs that ran."""
    project.write("ordered.py", APP)
    project.python(FILL.format(each=each))
    project.worker("ordered:celery_app", **env)
    done: list[str] = []
    while len(done) < wanted:
        _, value = store.blpop("order", 20)
        done.append(value)
    return done


def test_strict(project: Project, store: Any) -> None:
    done = order_of(project, store, each=40, wanted=120)
    assert done == ["critical"] * 40 + ["default"] * 40 + ["low"] * 40


def test_weighted(project: Project, store: Any) -> None:
    # Low is in front of every tenth fetch: that it never is in 200 happens once in a billion runs.
    weights = "critical=6,default=3,low=1"
    done = order_of(project, store, each=200, wanted=200, FLASKIQ_QUEUE_WEIGHTS=weights)
    first = Counter(done)
    assert first["critical"] > first["low"] > 0
