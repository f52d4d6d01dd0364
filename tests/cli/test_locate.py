"""Which app ``flaskiq`` and ``flask flaskiq`` are about; each case in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Project

FLASK = "from flask import Flask\nfrom flaskiq import Flaskiq\n"
APP = FLASK + "app = Flask(__name__)\nFlaskiq(app)\n"
FACTORY = FLASK + "def create_app():\n    app = Flask('made')\n    Flaskiq(app)\n    return app\n"

# A command that tells which app it was given.
SHOW = """
import sys
import click
from flaskiq.cli import flaskiq, main
from flask.cli import main as flask

@flaskiq.command()
@click.pass_context
def show(context):
    from flaskiq.cli.locate import locate
    found = locate(context)
    click.echo(f"{found.spec} is {found.state.app.name}")

"""

FIND = """
import sys
from flaskiq.cli.locate import find

for spec in {specs}:
    found = find(spec)
    print(f"{{found.spec}} is {{found.state.app.name}}")
"""

Show = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, {})


@pytest.fixture
def show(project: Project) -> Show:
    def run(*words: str, program: str = "main", **env: str) -> subprocess.CompletedProcess[str]:
        code = f"{SHOW}sys.argv[1:] = {list(words)!r}\n{program}()"
        return project.python_result(code, **env)

    return run


def shown(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_an_app_may_be(project: Project) -> None:
    project.write("web.py", APP)
    project.write("inner/shop.py", APP)
    project.write("made.py", FACTORY)
    project.write("object.py", APP.replace("Flaskiq(app)", "flaskiq = Flaskiq(app)"))
    project.write("jobs.py", f"{FLASK}celery = Flaskiq(Flask('web')).celery\n")
    expected = {
        "web": "web:app is web",
        "web.py": "web:app is web",
        "web:app": "web:app is web",
        "inner.shop": "inner.shop:app is inner.shop",
        "inner/shop.py": "shop:app is shop",
        "made": "made:create_app is made",
        "made:create_app()": "made:create_app() is made",
        "object:flaskiq": "object:flaskiq is object",
        "jobs": "jobs:celery is web",
        "jobs:celery": "jobs:celery is web",
    }
    found = project.python(FIND.format(specs=list(expected)))
    assert found.splitlines() == list(expected.values())


def test_option_beats_environment_beats_folder(project: Project, show: Show) -> None:
    for name in ("app", "one", "two", "three"):
        project.write(f"{name}.py", APP)
    env = {"FLASKIQ_APP": "two", "FLASK_APP": "three"}
    assert shown(show("-A", "one", "show", **env)) == "one:app is one"
    assert shown(show("show", **env)) == "two:app is two"
    assert shown(show("show", FLASK_APP="three")) == "three:app is three"
    assert shown(show("show")) == "app:app is app"


def test_an_app_named_to_flask(project: Project, show: Show) -> None:
    project.write("web.py", APP)
    done = show("--app", "web", "flaskiq", "show", program="flask")
    assert shown(done) == "web:app is web"


def test_a_celery_module_without_flaskiq_is_passed_over(project: Project, show: Show) -> None:
    project.write("celery_app.py", "from celery import Celery\ncelery_app = Celery('x')\n")
    adopts = APP.replace("Flaskiq(app)", "Flaskiq(app, celery=celery_app)")
    project.write("app.py", f"from celery_app import celery_app\n{adopts}")
    assert shown(show("show")) == "app:app is app"


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        (None, ["show"], "FLASKIQ_APP"),
        (None, ["-A", "nowhere", "show"], "no module 'nowhere'"),
        (APP, ["-A", "app:nothing", "show"], "nothing"),
        ("value = 1\n", ["-A", "app", "show"], "no Flask app"),
        (FLASK + "app = Flask('x')\n", ["show"], "Flaskiq(app)"),
        (FLASK + "app = Flask('x')\n", ["-A", "app", "show"], "app:app has no Flaskiq"),
        ("from celery import Celery\nc = Celery()\n", ["-A", "app:c", "show"], "Flaskiq(app)"),
        (APP + "other = Flask('y')\nFlaskiq(other)\n", ["-A", "app", "show"], "app:other"),
    ],
)
def test_no_app_is_wrong_usage(
    project: Project, show: Show, text: str | None, words: list[str], message: str
) -> None:
    if text:
        project.write("app.py", text)
    done = show(*words)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ["import nothing_of_this_name\n", "1 / 0\n"])
def test_a_broken_module_shows_where(project: Project, show: Show, text: str) -> None:
    project.write("app.py", "\n" + text)
    done = show("show")
    assert done.returncode == 1
    assert 'app.py", line 2' in done.stderr


def test_the_program_needs_no_app_for_help(project: Project) -> None:
    program = str(Path(sys.executable).with_name("flaskiq"))
    done = subprocess.run(
        [program, "--help"], cwd=project.folder, capture_output=True, text=True, check=True
    )
    assert all(name in done.stdout for name in ("dev", "worker", "beat", "flower"))
