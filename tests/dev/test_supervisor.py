"""In which order ``flaskiq dev`` begins."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from flaskiq.dev import supervisor
from flaskiq.dev.commands import Command
from flaskiq.dev.supervisor import Supervisor


def test_the_files_are_watched_before_anything_reads_them(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    said_before = []

    def changes(_: Path, done: Event) -> Iterator[list[str]]:
        said_before.append("started" in capfd.readouterr().out)
        yield []
        done.wait()

    monkeypatch.setattr(supervisor, "changes", changes)
    command = Command("one", f"exec {sys.executable} -c pass flask")
    assert command.reloads
    Supervisor([command], {}, reload=True).run(20)
    assert said_before == [False]
    assert "one started" in capfd.readouterr().out
