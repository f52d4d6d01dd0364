"""``--json`` anywhere, and errors that name the fix, for every command."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest
from processes import Project

APP = """
from flask import Flask
from flaskiq import Flaskiq
app = Flask(__name__)
Flaskiq(app)
"""

# Commands that end in the ways in which commands end.
COMMANDS = """
import sys
import click
from redis import Redis
from flaskiq.cli import flaskiq, main
from flaskiq.cli.output import show
from flaskiq.errors import SettingError
from flask.cli import main as flask

@flaskiq.group()
def things(): pass

@things.command("list")
@click.argument("words", nargs=-1)
@click.pass_context
def list_(context, words):
    show(context, {"words": words}, lambda: f"{len(words)} words")

@things.command()
def refuse(): raise SettingError("no such thing; use another")

@things.command()
def away(): Redis(port=1).ping()

@things.command()
def stop(): raise KeyboardInterrupt

"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(project: Project) -> Run:
    project.write("app.py", APP)

    def run(*words: str, program: str = "main") -> subprocess.CompletedProcess[str]:
        return project.python_result(f"{COMMANDS}sys.argv[1:] = {list(words)!r}\n{program}()")

    return run


@pytest.mark.parametrize(
    "words",
    [
        ("--json", "things", "list", "a"),
        ("things", "--json", "list", "a"),
        ("things", "list", "--json", "a"),
        ("things", "list", "a", "--json"),
    ],
)
def test_json_may_stand_anywhere(run: Run, words: tuple[str, ...]) -> None:
    done = run(*words)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"words": ["a"]})


def test_json_below_flask(run: Run) -> None:
    done = run("--app", "app", "flaskiq", "things", "list", "--json", program="flask")
    assert json.loads(done.stdout) == {"words": []}


def test_what_follows_two_dashes_is_an_argument(run: Run) -> None:
    assert run("things", "list", "--", "--json").stdout == "1 words\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("things", "refuse"), 1, "no such thing; use another"),
        (("things", "away"), 1, "CELERY_BROKER_URL"),
        (("things", "nothing"), 2, "No such command 'nothing'"),
    ],
)
def test_an_error_is_a_message_and_an_exit_code(
    run: Run, words: tuple[str, ...], code: int, message: str
) -> None:
    done = run(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    done = run(*words, "--json")
    assert done.returncode == code
    assert message in json.loads(done.stdout)["error"]


def test_an_interrupted_command_says_so_by_its_code(run: Run) -> None:
    assert run("things", "stop").returncode == 130
    assert run("--app", "app", "flaskiq", "things", "stop", program="flask").returncode == 130
