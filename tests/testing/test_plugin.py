"""The pytest plugin: its fixtures, its marker, and what it says at a failure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from servers import required

APP = """
from flask import Flask
from flaskiq import Flaskiq, Worker

app = Flask("mine")
app.config["CELERY_BROKER_URL"] = "redis://127.0.0.1:1/0"
app.config["CELERY_RESULT_BACKEND"] = "redis://127.0.0.1:1/0"
Flaskiq(app)

class Add(Worker):
    @classmethod
    def perform(cls, first, second):
        return first + second
"""

PLUGIN = """
import sys
import pytest

assert "flaskiq.testing" not in sys.modules

def test_nothing_is_imported_before_it_is_needed():
    assert "flaskiq.testing" not in sys.modules

def test_fake(flaskiq_fake):
    from mine import Add
    Add.perform_async(1, 2)
    assert flaskiq_fake.drain() == 1

def test_inline(flaskiq_inline):
    from mine import Add
    assert Add.perform_async(1, 2).get() == 3

@pytest.mark.parametrize("number", range(4))
def test_worker(flaskiq_worker, number):
    from mine import Add
    assert Add.perform_async(number, 2).get(timeout=10) == number + 2
    assert len(flaskiq_worker.enqueued()) == 1

@pytest.mark.flaskiq("fake")
class TestMarked:
    def test_one(self):
        from flaskiq.testing import enqueued
        from mine import Add
        Add.perform_async(1, 2)
        assert len(enqueued()) == 1

    def test_other(self):
        from flaskiq.testing import enqueued
        assert enqueued() == []
"""

FAILING = """
import pytest
from flaskiq.testing import assert_enqueued
from mine import Add

@pytest.mark.flaskiq("fake")
def test_that_fails():
    Add.perform_async(1, 2)
    assert_enqueued(Add, args=[1, 3])

@pytest.mark.flaskiq("fake")
def test_that_fails_otherwise():
    assert False

@pytest.mark.flaskiq("fack")
def test_of_no_mode(): ...

def test_without_a_mode():
    assert_enqueued(Add)
"""


def run(folder: Path, *options: str, **files: str) -> str:
    """Run pytest over test modules in a folder of their own, and return what it says."""
    (folder / "mine.py").write_text(APP)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_fixtures_and_marker(tmp_path: Path) -> None:
    required()
    said = run(tmp_path, "--strict-markers", "-W", "error", test_plugin=PLUGIN)
    assert "9 passed" in said, said


def test_a_failure_says_what_was_enqueued(tmp_path: Path) -> None:
    said = run(tmp_path, test_failing=FAILING)
    assert "3 failed, 1 error" in said, said
    assert "no job enqueued: mine.Add  args=[1, 3]" in said
    assert "+ args [1, 2]" in said
    assert said.count("flaskiq: enqueued jobs") == 2
    assert "mine.Add(1, 2)  queue='default'  [queued]" in said
    assert "@pytest.mark.flaskiq takes one of fake, inline, real" in said
    assert "no mode of flaskiq.testing is active here" in said
    assert "assertions.py" not in said  # the traceback ends in the test
