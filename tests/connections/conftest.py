"""An application that is started at other servers than the one of the other tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fleet import LIB
from processes import Project

Elsewhere = Callable[..., Project]

ROUND_TRIP = """
from sample import Add, app
with app.app_context():
    print(Add.perform_async(1, 2).get(timeout=20), Add.perform_in(0.3, 3, 4).get(timeout=20),
          sum(each.get(timeout=20) for each in Add.perform_bulk([(n, 0) for n in range(4)])))
"""
"""Prints ``3 7 6`` if broker and results can be reached."""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Elsewhere]:
    """Make the project that uses the URL (and another one for results, if it is given)."""
    projects = []

    def at(url: str, results: str = "", **env: str) -> Project:
        projects.append(
            Project(
                tmp_path,
                {
                    "CELERY_BROKER_URL": url,
                    "CELERY_RESULT_BACKEND": results or url,
                    "PYTHONPATH": LIB,
                    **env,
                },
            )
        )
        return projects[-1]

    yield at
    for project in projects:
        project.end()


@pytest.fixture
def round_trip() -> str:
    """Code that runs jobs and prints ``3 7 6``."""
    return ROUND_TRIP
