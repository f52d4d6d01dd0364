"""Fixtures: an application with a dashboard, a client of it, and its worker."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from own_app import fixtures

LIB = Path(__file__).parent / "lib"

own_server, own_app, store, jobs, folder, start = fixtures("dashboard_app", LIB)

from pages import Browser  # noqa: E402 - found by the above


@pytest.fixture
def browser(jobs: ModuleType) -> Browser:
    """A browser at the dashboard."""
    return Browser(jobs.app.test_client())
