"""The pages of a busy app, for those who see little or nothing, and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import axe
import pytest
import requests
from playwright.sync_api import Page, ViewportSize, expect
from processes import Project
from servers import Server, free_port, required
from waiting import until

pytestmark = pytest.mark.slow  # a browser, a minute in all

FILL = """
from flaskiq.dev.demo.app import create_app
from flaskiq.dev.demo.traffic import fill


with create_app().app_context():
    fill()
"""

PAGES = (
    "/", "/busy", "/queues", "/queues/default", "/queues/archive", "/scheduled", "/retries",
    "/retries?worker=Nobody", "/dead", "/cron", "/batches", "/chords", "/metrics",
    "/metrics/shop.ResizeImage", "/nowhere",
)  # fmt: skip

LINKED = (
    ("/scheduled", "job"), ("/retries", "job"), ("/dead", "job"), ("/cron", "job"),
    ("/batches", "batches"), ("/chords", "chords"),
)  # fmt: skip
"""Pages, and what they lead to of which nobody knows the address."""

ADDRESSES = [*PAGES, *(f"{page} {kind}" for page, kind in LINKED)]

PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the dashboard of the demo is: its first filling, and a worker that is busy with it.

    In processes of their own: its Workers would be those of every app in this one.
    """
    server = Server(required(), tmp_path_factory.mktemp("demo-valkey"))
    app = "flaskiq.dev.demo.app:create_app"
    project = Project(
        tmp_path_factory.mktemp("demo"),
        {
            "CELERY_BROKER_URL": server.url,
            "CELERY_RESULT_BACKEND": server.url,
            "FLASKIQ_APP": app,
            "FLASKIQ_ENV": "development",
            "FLASKIQ_CHORD_WATCH": "1",
        },
    )
    port = free_port()
    project.start("flask", "--app", app, "run", "--port", str(port))
    project.python(FILL)
    project.start("flaskiq", "worker", "start", "-c", "4", "--queue", "critical,default,low")
    url = f"http://127.0.0.1:{port}/jobs"
    until(lambda: is_filled(url), "there is something on every page")
    yield url
    project.end()
    server.stop()


def is_filled(url: str) -> bool:
    def ask(path: str) -> Any:
        return requests.get(f"{url}/api/v1{path}", timeout=10).json()

    try:
        batches = {each["state"] for each in ask("/batches")["batches"]}
        verdicts = {each["verdict"] for each in ask("/chords")["chords"]}
        stats = ask("/stats")
    except requests.ConnectionError:
        return False
    return (
        {"running", "success", "blocked"} <= batches
        and {"waiting"} <= verdicts
        and all(stats[name] for name in ("busy", "enqueued", "retries", "scheduled", "dead"))
    )


@pytest.fixture
def tab(tab: Page) -> Page:
    """A page that does not change while it is looked at."""
    tab.add_init_script("localStorage['flaskiq.interval'] = '0'")
    return tab


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_shuts_nobody_out(tab: Page, demo: str, address: str) -> None:
    path, _, kind = address.partition(" ")
    tab.goto(f"{demo}{path}")
    if kind:
        tab.goto(tab.locator(f"main a[href*='/{kind}/']").first.evaluate("link => link.href"))
    expect(tab.locator("h1")).to_have_count(1)
    assert whom_it_shuts_out(tab) == []


def test_the_dialog_of_the_keys_shuts_nobody_out(tab: Page, demo: str) -> None:
    tab.goto(f"{demo}/dead")
    tab.get_by_role("button", name="Keys").click()
    expect(tab.get_by_role("dialog")).to_be_visible()
    assert whom_it_shuts_out(tab) == []


def whom_it_shuts_out(tab: Page) -> list[str]:
    """What is wrong with a page: by day, by night and on a phone."""
    tab.emulate_media(color_scheme="light", reduced_motion="reduce")
    found = axe.violations(tab)
    tab.emulate_media(color_scheme="dark")
    found += axe.violations(tab, "color-contrast")
    tab.set_viewport_size(PHONE)
    found += axe.violations(tab)
    if tab.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("the page is wider than a phone")
    return found
