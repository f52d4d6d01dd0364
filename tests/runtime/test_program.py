"""What ``celery worker`` and ``flaskiq worker start`` read besides their command line."""

from __future__ import annotations

import pytest
from fleet import gevent_or_skip
from processes import Process, Project

pytestmark = pytest.mark.newest

APP = """
from flask import Flask
from flaskiq import Flaskiq
flask_app = Flask(__name__)
flask_app.config["CELERY"] = {given}
flaskiq = Flaskiq(flask_app)
celery_app = flaskiq.celery
"""
PROGRAMS = {
    "celery": ("celery", "-A", "celery_app", "worker", "--loglevel=info"),
    "flaskiq": ("flaskiq", "worker", "start"),
}
PREFETCH = "Prefetch is on: this worker holds 3 jobs for each that it runs"


@pytest.fixture(params=PROGRAMS)
def argv(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return PROGRAMS[request.param]


def ready(project: Project, *argv: str, given: str = "{}", **env: str) -> Process:
    """Start a worker with a Celery dict, and wait until it is ready."""
    project.write("celery_app.py", APP.format(given=given))
    worker = project.start(*argv, **env)
    worker.wait_for(" ready.")
    return worker


def refused(project: Project, *argv: str, **env: str) -> str:
    """Start a worker that ends at once, and return what it says."""
    project.write("celery_app.py", APP.format(given="{}"))
    worker = project.start(*argv, **env)
    assert worker.wait() == 2
    return worker.output


# Options in variables


def test_an_option_comes_before_its_variable_and_that_before_opts(
    project: Project, argv: tuple[str, ...]
) -> None:
    env = {
        "CELERY_WORKER_OPTS": "--concurrency 5 --pool=threads --hostname opts@host",
        "CELERY_WORKER_CONCURRENCY": "4",
        "CELERY_WORKER_POOL": "prefork",
        "CELERY_CONCURRENCY": "6",
    }
    worker = ready(project, *argv, "--concurrency", "1", **env)
    assert "concurrency: 1 (prefork)" in worker.output
    assert "opts@host ready." in worker.output


def test_opts_come_before_the_settings(project: Project, argv: tuple[str, ...]) -> None:
    given = "{'worker_concurrency': 5}"
    worker = ready(project, *argv, given=given, CELERY_WORKER_OPTS="-c 1 -P solo")
    assert "concurrency: 1 (solo)" in worker.output


@pytest.mark.parametrize(
    ("opts", "message"),
    [
        ("--without-gosip", "CELERY_WORKER_OPTS: No such option '--without-gosip'"),
        ("gossip", "CELERY_WORKER_OPTS: 'gossip' is no option of celery worker"),
        ("--concurrency", "CELERY_WORKER_OPTS: Option '--concurrency' requires an argument"),
    ],
)
def test_what_is_no_option_is_refused_by_name(
    project: Project, argv: tuple[str, ...], opts: str, message: str
) -> None:
    assert message in refused(project, *argv, CELERY_WORKER_OPTS=opts)


def test_a_pool_that_patches_python_is_for_the_command_line_of_celery(project: Project) -> None:
    said = refused(project, *PROGRAMS["celery"], CELERY_WORKER_OPTS="-P gevent")
    assert "--pool=gevent comes too late here" in said


def test_flaskiq_takes_such_a_pool_from_a_variable(project: Project) -> None:
    gevent_or_skip()
    worker = ready(project, *PROGRAMS["flaskiq"], CELERY_WORKER_OPTS="-P gevent -c 10")
    assert "concurrency: 10 (gevent)" in worker.output


def test_an_app_that_starts_its_worker_itself_reads_them_too(project: Project) -> None:
    project.write("main.py", "from celery_app import celery_app\ncelery_app.start(['worker'])\n")
    env = {"CELERY_WORKER_OPTS": "--pool=solo", "CELERY_WORKER_LOGLEVEL": "info"}
    worker = ready(project, "python", "main.py", **env, CELERY_WORKER_HOSTNAME="mine@host")
    assert "mine@host ready." in worker.output
    assert "(solo)" in worker.output


# Prefetch


def test_a_multiplier_on_the_command_line_turns_prefetch_on(
    project: Project, argv: tuple[str, ...]
) -> None:
    worker = ready(project, *argv, "--concurrency=1", "--prefetch-multiplier=3")
    assert PREFETCH in worker.output


def test_without_a_multiplier_nothing_is_said(project: Project, argv: tuple[str, ...]) -> None:
    worker = ready(project, *argv, "--concurrency=1")
    assert "refetch" not in worker.output


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ("{'worker_disable_prefetch': True}", ("--prefetch-multiplier=3",)),
        ("{}", ("--prefetch-multiplier=3", "--disable-prefetch")),
    ],
)
def test_who_disables_prefetch_is_obeyed_and_told(
    project: Project, given: str, options: tuple[str, ...]
) -> None:
    worker = ready(project, *PROGRAMS["celery"], "--concurrency=1", *options, given=given)
    assert "The prefetch multiplier 3 acts on nothing: worker_disable_prefetch" in worker.output
