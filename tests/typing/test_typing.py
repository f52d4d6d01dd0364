"""The verbs of a Worker have the types of its ``perform``, for mypy and for pyright."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def mypy(file: Path) -> set[int]:
    """Return the lines in which ``mypy --strict`` finds an error."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--output=json", "--no-error-summary", file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {each["line"] for each in found if each["severity"] == "error"}


def pyright(file: Path) -> set[int]:
    """Return the lines in which pyright finds an error."""
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {each["range"]["start"]["line"] + 1 for each in found if each["severity"] == "error"}


@pytest.mark.parametrize("checker", [mypy, pyright])
@pytest.mark.parametrize("name", ["right.py", "right_testing.py"])
def test_right_calls_are_accepted(checker: Callable[[Path], set[int]], name: str) -> None:
    assert checker(HERE / name) == set()


@pytest.mark.parametrize("checker", [mypy, pyright])
@pytest.mark.parametrize(("name", "number"), [("wrong.py", 20), ("wrong_testing.py", 22)])
def test_wrong_calls_are_flagged(
    checker: Callable[[Path], set[int]], name: str, number: int
) -> None:
    file = HERE / name
    lines = enumerate(file.read_text().splitlines(), 1)
    wrong = {place for place, line in lines if line.endswith("# WRONG")}
    assert len(wrong) == number
    assert checker(file) == wrong
