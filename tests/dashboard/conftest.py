"""Fixtures: an application with a dashboard, its worker, and what looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import chromium
import playwright.sync_api as playwright
import pytest
from own_app import fixtures

LIB = Path(__file__).parent / "lib"

own_server, own_app, store, jobs, folder, start = fixtures("dashboard_app", LIB)

from pages import Browser  # noqa: E402 - found by the above
from serving import Web  # noqa: E402


@pytest.fixture
def browser(jobs: ModuleType) -> Browser:
    """A browser at the dashboard that only sends and reads text."""
    return Browser(jobs.app.test_client())


@pytest.fixture(scope="module")
def chrome() -> Iterator[playwright.Browser]:
    """Debian's chromium."""
    yield from chromium.chromium()


@pytest.fixture
def tab(chrome: playwright.Browser) -> Iterator[playwright.Page]:
    """A page in it."""
    yield from chromium.tab(chrome)


@pytest.fixture
def web(jobs: ModuleType) -> Iterator[Web]:
    """The web server of the application."""
    web = Web(jobs.app)
    yield web
    web.stop()


@pytest.fixture
def url(web: Web) -> str:
    """Where the dashboard is served."""
    return f"{web.url}/jobs"
