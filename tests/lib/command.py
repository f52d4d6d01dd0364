"""The program ``flaskiq`` about the sample application: run as scripts and as people run it."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fleet import LIB
from processes import Project

from flaskiq.cli import main

PROGRAM = str(Path(sys.executable).with_name("flaskiq"))

__all__ = ["CalledCommand", "Command", "Done", "command"]


@dataclass(frozen=True)
class Done:
    """What a program has printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed as JSON; fails if there is anything else on standard output."""
        return json.loads(self.out)


class Command:
    """Runs ``flaskiq`` in a folder."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._folder = folder
        self._env = env

    def __call__(self, *words: str, code: int = 0) -> Done:
        """Run it without a terminal; fail if it ends otherwise than with ``code``."""
        got = subprocess.run(
            [PROGRAM, *words],
            cwd=self._folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert got.returncode == code, f"{got.returncode} {got.stdout}\n{got.stderr}"
        assert "Traceback (most" not in got.stderr, got.stderr
        return Done(got.returncode, got.stdout, got.stderr)

    def json(self, *words: str, code: int = 0) -> Any:
        """Run it with ``--json`` and return the document."""
        return self(*words, "--json", code=code).json

    def at_terminal(self, *words: str, answer: str = "", timeout: float = 110) -> Done:
        """Run it with its standard input and error at a terminal, its output in a pipe."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [PROGRAM, *words],
            cwd=self._folder,
            env={**self._env, "TERM": "xterm"},
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        try:
            err = _talk(ours, answer, timeout)
            out = process.communicate(timeout=timeout)[0].decode()
        finally:
            process.kill()
            process.wait()
            os.close(ours)
        return Done(process.returncode, out, err)


class CalledCommand(Command):
    """Calls ``flaskiq`` within this process, which has the application already.

    A start of the program takes most of a second; it is the same function either way.
    """

    def __call__(self, *words: str, code: int = 0) -> Done:
        """Call it without a terminal; fail if it ends otherwise than with ``code``."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, Path(os.devnull).open() as nobody:
            for name in set(os.environ) - set(self._env):
                patch.delenv(name)
            for name, value in self._env.items():
                patch.setenv(name, value)
            patch.chdir(self._folder)
            patch.setattr(sys, "argv", [PROGRAM, *words])
            patch.setattr(sys, "path", [*sys.path])
            patch.setattr(sys, "stdin", nobody)
            with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
                main()
        got = Done(ended.value.code or 0, out.getvalue(), err.getvalue())
        assert got.code == code, f"{got.code} {got.out}\n{got.err}"
        return got


def _talk(terminal: int, answer: str, timeout: float) -> str:
    """Answer the first question, and return what was shown, until the program has ended."""
    shown, deadline = b"", time.monotonic() + timeout
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            read = os.read(terminal, 65536)
        except OSError:  # Linux: nobody has it open any more
            return shown.decode()
        if not read:
            return shown.decode()
        shown += read
        if answer and b"[y/N]" in shown:
            os.write(terminal, f"{answer}\n".encode())
            answer = ""
    raise AssertionError(f"not within {timeout} s:\n{shown.decode()}")


@pytest.fixture
def command(sample: ModuleType, project: Project) -> Command:
    """The program about the sample application, its server empty."""
    env = project.environ(FLASKIQ_APP="sample:app", PYTHONPATH=LIB)
    return CalledCommand(project.folder, env)
