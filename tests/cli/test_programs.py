"""``flaskiq worker start``, ``beat`` and ``flower``: the programs that Celery brings."""

from __future__ import annotations

import signal

import pytest
import requests
from processes import Project
from servers import free_port
from waiting import until

APP = """
from flask import Flask
from flaskiq import Flaskiq, Worker, WorkerRegistry

app = Flask(__name__)
Flaskiq(app)

class Hello(Worker):
    @classmethod
    def perform(cls, name):
        print(f"Hello {name}", flush=True)

class Tick(Worker):
    queue = "low"
    cron_schedule = "* * * * *"
    @classmethod
    def perform(cls):
        pass

WorkerRegistry.initialize()
"""


@pytest.fixture
def app(project: Project) -> Project:
    project.write("app.py", APP)
    return project


def test_worker_runs_jobs_of_all_queues_until_it_is_told_to_end(app: Project) -> None:
    worker = app.start("flaskiq", "worker", "start", "-P", "solo", "-n", "one@%h")
    worker.wait_for("one@")
    app.python("import app; app.Hello.set(queue='low').perform_async('Bo')")
    worker.wait_for("Hello Bo")
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    places = [worker.output.index(f".> {queue} ") for queue in ("critical", "default", "low")]
    assert places == sorted(places)


def test_a_queue_option_of_ones_own_wins(app: Project) -> None:
    worker = app.start("flaskiq", "worker", "start", "-P", "solo", "-Q", "low")
    worker.wait_for(" ready.")
    assert ".> low " in worker.output
    assert ".> critical " not in worker.output


def test_beat_knows_the_cron_entries(app: Project) -> None:
    beat = app.start("flaskiq", "beat", "--loglevel=DEBUG", "--schedule=beat")
    beat.wait_for("app.Tick")
    beat.send(signal.SIGTERM)
    assert beat.wait() == 0


@pytest.mark.parametrize("program", ["worker start -P solo", "beat --schedule=beat", "flower"])
def test_the_settings_say_which_redis(app: Project, program: str) -> None:
    port = ("--port", str(free_port())) if program == "flower" else ()
    url = app.environ()["CELERY_BROKER_URL"]
    running = app.start("flaskiq", *program.split(), *port, BROKER_URL="redis://127.0.0.1:1/0")
    running.wait_for(url.replace("redis://", "redis://:**@", 1))


def test_flower_listens_on_this_machine_only(app: Project) -> None:
    port = str(free_port())
    flower = app.start("flaskiq", "flower", "--port", port)
    flower.wait_for(f"http://127.0.0.1:{port}")


def test_flower_is_interrupted_as_often_as_one_likes(app: Project) -> None:
    flower = app.start("flaskiq", "flower", "--port", str(free_port()))
    flower.wait_for("Connected to ")

    def has_ended() -> bool:
        flower.send(signal.SIGINT)
        return not flower.is_running

    until(has_ended, "it has ended")
    assert flower.wait() in (0, 130, -signal.SIGINT)
    assert "Traceback" not in flower.output


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (("--address", "0.0.0.0"), {}),
        (("--address", ""), {}),
        (("--address", "localhost.example"), {}),
        (("--address=::", "--basic-auth="), {}),
        ((), {"FLOWER_ADDRESS": "0.0.0.0"}),
    ],
)
def test_flower_without_a_password_is_not_for_everybody(
    app: Project, words: tuple[str, ...], env: dict[str, str]
) -> None:
    flower = app.start("flaskiq", "flower", *words, **env)
    assert flower.wait() == 2
    assert "FLOWER_BASIC_AUTH=name:password" in flower.output


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (("--basic-auth=name:password",), {}),
        (("--basic_auth=name:password",), {}),
        ((), {"FLOWER_BASIC_AUTH": "name:password"}),
    ],
)
def test_flower_with_a_password_listens_anywhere(
    app: Project, words: tuple[str, ...], env: dict[str, str]
) -> None:
    port = str(free_port())
    flower = app.start("flaskiq", "flower", "--address=0.0.0.0", "--port", port, *words, **env)
    flower.wait_for(f"http://0.0.0.0:{port}")
    url = f"http://127.0.0.1:{port}/workers"

    def codes() -> list[int]:
        return [
            requests.get(url, auth=auth, timeout=10).status_code
            for auth in (None, ("name", "wrong"), ("name", "password"))
        ]

    assert until(codes, "it answers") == [401, 401, 200]


def test_a_wrong_celery_option_is_wrong_usage(app: Project) -> None:
    worker = app.start("flaskiq", "worker", "start", "--no-such-option")
    assert worker.wait() == 2
    assert "--no-such-option" in worker.output
