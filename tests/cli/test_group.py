"""``--json`` anywhere, and errors that name the fix, for every command."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from command import CalledCommand, Done
from fleet import LIB
from processes import Project
from redis import Redis

from flaskiq.cli import flaskiq
from flaskiq.cli.output import show
from flaskiq.errors import SettingError

APP = """
from flask import Flask
from flaskiq import Flaskiq
app = Flask(__name__)
Flaskiq(app)
"""


@click.group()
def things() -> None:
    """Commands that end in the ways in which commands end."""


@things.command("list")
@click.argument("words", nargs=-1)
@click.pass_context
def list_(context: click.Context, words: tuple[str, ...]) -> None:
    show(context, {"words": words}, lambda: f"{len(words)} words")


@things.command()
def refuse() -> None:
    raise SettingError("no such thing; use another")


@things.command()
def away() -> None:
    Redis(port=1).ping()


@things.command()
def stop() -> None:
    raise KeyboardInterrupt


Run = Callable[..., Done]


@pytest.fixture
def run(project: Project, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Calls the program with these commands, too."""
    monkeypatch.setitem(flaskiq.commands, "things", things)
    return CalledCommand(project.folder, project.environ())


BELOW_FLASK = """
import sys
from flaskiq.cli import flaskiq
from flask.cli import main
from test_group import things

flaskiq.add_command(things)
sys.argv[1:] = {words!r}
main()
"""


@pytest.fixture
def below_flask(project: Project) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the same below the program ``flask``."""
    project.write("app.py", APP)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(Path(__file__).parent), LIB])
        code = BELOW_FLASK.format(words=["--app", "app", "flaskiq", *words])
        return project.python_result(code, PYTHONPATH=path)

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
    assert run(*words).json == {"words": ["a"]}


def test_it_is_the_same_below_flask(below_flask: Callable[..., Any]) -> None:
    assert json.loads(below_flask("things", "list", "--json").stdout) == {"words": []}
    assert below_flask("things", "stop").returncode == 130


def test_what_follows_two_dashes_is_an_argument(run: Run) -> None:
    assert run("things", "list", "--", "--json").out == "1 words\n"


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
    done = run(*words, code=code)
    assert done.out == ""
    assert message in done.err
    assert message in run(*words, "--json", code=code).json["error"]


def test_an_interrupted_command_says_so_by_its_code(run: Run) -> None:
    run("things", "stop", code=130)
