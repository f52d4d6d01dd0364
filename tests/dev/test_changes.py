from __future__ import annotations

from pathlib import Path

import pytest

from flaskiq.dev.changes import is_source


@pytest.mark.parametrize("path", ["app.py", "workers/a/b.py", "templates/mail.html", ".env"])
def test_files_of_the_app_matter(path: str) -> None:
    assert is_source(Path(path))


@pytest.mark.parametrize(
    "path",
    [
        ".venv/lib/x.py",
        "venv/lib/x.py",
        "node_modules/x/y.py",
        ".flaskiq/x.py",
        "instance/uploads/x.py",
        "a/__pycache__/x.py",
        "examples/data/weather.csv",
        "app.pyc",
    ],
)
def test_other_files_do_not(path: str) -> None:
    assert not is_source(Path(path))
