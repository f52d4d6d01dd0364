"""What tells a process from a later one with its pid."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import until

from flaskiq.cli import birth as module
from flaskiq.cli.birth import birth


@pytest.mark.parametrize("proc", ["/proc", "/nowhere"])  # the second as on macOS
def test_birth(monkeypatch: pytest.MonkeyPatch, proc: str) -> None:
    monkeypatch.setattr(module, "PROC", Path(proc))
    assert birth(os.getpid()) == birth(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert birth(child.pid) not in (None, birth(os.getpid()))
        assert child.stdin
        child.stdin.close()
        until(lambda: birth(child.pid) is None, "only its exit code is left")
    finally:
        child.wait()
    assert birth(child.pid) is None
