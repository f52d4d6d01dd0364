"""Flaskiq as a Flask extension: one app, several, and an adopted Celery app."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest
from celery import Celery
from flask import Flask
from processes import Project

from flaskiq import ContextError, Flaskiq, Worker, current


class Ping(Worker):
    @classmethod
    def perform(cls) -> str:
        return "pong"


def test_init_app_keeps_no_app(redis_url: str) -> None:
    flaskiq = Flaskiq()
    first, second = Flask("first"), Flask("second")
    flaskiq.init_app(first)
    assert flaskiq.celery.main == "first"
    flaskiq.init_app(second)
    with second.app_context():
        assert flaskiq.celery.main == "second"
    with first.app_context():
        assert flaskiq.celery.main == "first"
    assert not hasattr(flaskiq, "app")


def test_one_app_has_one_flaskiq() -> None:
    app = Flask("once")
    Flaskiq(app)
    with pytest.raises(ContextError, match="'once' has a Flaskiq already"):
        Flaskiq(app)


def test_the_current_app_is_used(sample: object) -> None:
    app = Flask("other")
    Flaskiq(app)
    with app.app_context():
        assert current.state().app is app


def test_an_app_without_flaskiq_is_named() -> None:
    with Flask("bare").app_context(), pytest.raises(ContextError, match="'bare' has no Flaskiq"):
        Ping.perform_async()


@pytest.mark.parametrize("beat_in_worker", [False, True])
def test_an_app_can_be_collected(beat_in_worker: bool) -> None:
    Flaskiq(Flask("first"))  # the first of a process is Celery's default, and stays
    app = Flask("short")
    app.config["FLASKIQ_BEAT_IN_WORKER"] = beat_in_worker
    Flaskiq(app)
    gone = weakref.ref(app)
    del app
    gc.collect()
    assert gone() is None


def test_an_app_lives_as_long_as_the_flaskiq_it_was_given_to(sample: object) -> None:
    flaskiq = Flaskiq(Flask("alone"))
    gc.collect()
    assert flaskiq.celery.main == "alone"


def test_with_several_apps_and_none_current_the_way_out_is_named(project: Project) -> None:
    printed = project.python("""
from flask import Flask
from flaskiq import Flaskiq, Worker, ContextError

class Ping(Worker):
    @classmethod
    def perform(cls): return "pong"

try:
    Ping.perform_async()
except ContextError as error:
    print("none:", error)
one, two = Flask("one"), Flask("two")
Flaskiq(one)
Ping.perform_async()
Flaskiq(two)
try:
    Ping.perform_async()
except ContextError as error:
    print("several:", error)
with two.app_context():
    Ping.perform_async()
from celery import current_app
print("default:", current_app.main)
""")
    none, several, default = printed.splitlines()
    assert "import the module that calls `Flaskiq(app)` first" in none
    assert "2 Flask apps have a Flaskiq (one, two)" in several
    assert "with app.app_context():" in several
    assert default == "default: one"


def test_the_first_app_is_the_default_in_every_thread(project: Project) -> None:
    printed = project.python("""
import threading
from celery import current_app
from flask import Flask
from flaskiq import Flaskiq
Flaskiq(Flask("one"))
thread = threading.Thread(target=lambda: print(current_app.main))
thread.start(); thread.join()
""")
    assert printed == "one"


ADOPTED = """
from celery import Celery
from flask import Flask, current_app
from flaskiq import Flaskiq, Worker, current_job

celery = Celery("x")
celery.conf.task_soft_time_limit = 77

@celery.task(bind=True)
def add(self, left, right):
    return [left + right, current_app.name, current_job.attempt, current_job.queue]

app = Flask("web")
flaskiq = Flaskiq(app, celery=celery)

class Multiply(Worker):
    @classmethod
    def perform(cls, left: int, right: int) -> list:
        return [left * right, current_app.name, current_job.attempt, current_job.queue]

@celery.task
def later(word):
    return [word, current_app.name]
"""


def test_an_existing_celery_app_runs_both_kinds(project: Project) -> None:
    project.write("adopted.py", ADOPTED)
    project.worker("adopted:celery", "--pool=solo")
    printed = project.python("""
from adopted import add, later, Multiply, celery
print(add.delay(2, 3).get(timeout=20), Multiply.perform_async(2, 3).get(timeout=20))
print(later.delay("hi").get(timeout=20))
print(celery.conf.task_soft_time_limit, celery.conf.task_acks_late, celery.conf.result_expires)
""")
    assert printed.splitlines() == [
        "[5, 'web', 1, 'celery'] [6, 'web', 1, 'default']",
        "['hi', 'web']",
        "77 True 3600",
    ]


def test_an_adopted_app_keeps_its_own_amqp_class() -> None:
    from celery.app.amqp import AMQP

    class Own(AMQP):
        mark = "own"

    celery = Celery("own", amqp=Own, set_as_current=False)
    Flaskiq(Flask("adopts"), celery=celery)
    assert celery.amqp.mark == "own"
    assert celery.amqp.router.route({}, "unknown")["queue"].name == "celery"


def test_defaults_follow_what_an_adopted_app_has_set(tmp_path: Path) -> None:
    printed = Project(tmp_path, {}).python("""
from celery import Celery
from flask import Flask
from flaskiq import Flaskiq
celery = Celery("shop", broker="redis://127.0.0.1:1/3", set_as_current=False)
celery.conf.task_time_limit = 6000
flaskiq = Flaskiq(Flask("shop"), celery=celery)
conf = celery.conf
print(conf.result_backend, conf.task_soft_time_limit, conf.result_chord_expires)
print(conf.task_default_queue)
print([queue.name for queue in conf.task_queues])
""")
    assert printed.splitlines() == [
        "redis://127.0.0.1:1/3 1500 92400",
        "celery",
        "['critical', 'default', 'low', 'celery']",
    ]


def test_the_environment_beats_an_adopted_app(project: Project) -> None:
    printed = project.python(
        "from celery import Celery\nfrom flask import Flask\nfrom flaskiq import Flaskiq\n"
        "celery = Celery('shop')\ncelery.conf.task_time_limit = 6000\n"
        "Flaskiq(Flask('shop'), celery=celery)\nprint(celery.conf.task_time_limit)\n",
        CELERY_TASK_TIME_LIMIT="120",
    )
    assert printed == "120"
