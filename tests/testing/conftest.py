"""Fixtures: an application whose broker nobody can reach, and each mode."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from addresses import import_app
from servers import required

from flaskiq.testing import Mode

sys.path.append(str(Path(__file__).parent / "lib"))

from modes import MODES

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(scope="session")
def kit_app() -> ModuleType:
    """The application ``lib/kit_app.py``."""
    return import_app("kit_app", NOWHERE)


@pytest.fixture
def kit(kit_app: ModuleType) -> Iterator[ModuleType]:
    """The application, its app context pushed; nothing was told."""
    kit_app.told.clear()
    kit_app.celery_app.set_current()  # canvas asks for it, and another test may have one, too
    with kit_app.app.app_context():
        yield kit_app


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest, kit: ModuleType) -> Iterator[Mode]:
    """Each mode."""
    if request.param == "real":
        required()
    with MODES[request.param]() as mode:
        yield mode
