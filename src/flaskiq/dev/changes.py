"""Which changes of files matter to a running app."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

from watchfiles import Change, watch

SUFFIXES = {".py", ".html", ".jinja", ".jinja2", ".j2"}
IGNORED = {"__pycache__", "instance", "node_modules", "site-packages", "venv"}

ROUND = 100
"""Milliseconds between two words that nothing has changed."""


def changes(folder: Path, done: Event) -> Iterator[list[str]]:
    """Yield the changed files of an app, relative to ``folder``, until ``done`` is set.

    An empty list says that nothing has changed; from the first one on every change is seen.
    """

    def matters(_: Change, path: str) -> bool:
        return is_source(Path(path).relative_to(folder))

    for batch in watch(
        folder, watch_filter=matters, stop_event=done, rust_timeout=ROUND, yield_on_timeout=True
    ):
        yield sorted({str(Path(path).relative_to(folder)) for _, path in batch})


def is_source(path: Path) -> bool:
    """Tell whether a file, relative to the app's folder, is part of the app.

    Hidden folders are not (.venv, .git, .flaskiq), nor is what the app writes itself.
    """
    folders = path.parts[:-1]
    if any(part.startswith(".") or part in IGNORED for part in folders):
        return False
    return path.suffix in SUFFIXES or path.name == ".env"
