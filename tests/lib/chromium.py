"""Debian's chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> Iterator[Browser]:
    """Yield a browser, and end it; skip without one, fail in CI.

    For a fixture of a module, not of the session: while it runs, its thread has an event loop, and
    ``asyncio.run`` refuses to work.
    """
    program = shutil.which("chromium")
    if program is None:
        message = "no browser: install chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


def tab(browser: Browser, **options: Any) -> Iterator[Page]:
    """Yield an empty page that shares nothing with others; ``options`` are Playwright's."""
    context = browser.new_context(**{"viewport": {"width": 1100, "height": 900}, **options})
    yield context.new_page()
    context.close()
