"""docs/testing.md is a project with tests: they run by the command of the page, all at once."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

from page import COMMANDS, Block, blocks, environ, scripts, write
from processes import Project
from servers import required

PAGE = "testing.md"
TESTS = re.compile(r"^ *(?:async )?def test_\w+", re.MULTILINE)


def in_section(section: str) -> str:
    """The output that a section shows."""
    (shown,) = (block for block in blocks(PAGE, section) if not block.info)
    return shown.code


def command() -> Block:
    """What is typed: one block."""
    (typed,) = (block for block in blocks(PAGE) if block.info in COMMANDS)
    return typed


def test_the_page_runs(tmp_path: Path) -> None:
    """With warnings as errors and without any server but that of ``real``; one test is to fail."""
    required()
    project = Project(tmp_path, {"PYTHONWARNINGS": "error", "PYTEST_ADDOPTS": "--color=no"})
    write(project, PAGE)
    env = environ(project)
    done = subprocess.run(
        shlex.split(command().code),
        cwd=project.folder,
        env={name: value for name, value in env.items() if "XDIST" not in name},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    number = sum(len(TESTS.findall(block.code)) for block in blocks(PAGE) if block.file)
    assert f"1 failed, {number - 1} passed" in done.stdout, done.stdout + done.stderr
    assert in_section("What a failure looks like") in done.stdout


def test_the_examples_of_the_source_come_first() -> None:
    first = next(block for block in blocks(PAGE) if block.info == "python")
    assert 'MyWorker.perform(test_data="valid")' in first.code
    assert first.file == "tests/test_my_worker.py"


def test_every_block_is_a_file() -> None:
    assert scripts(PAGE) == []
