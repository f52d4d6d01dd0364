"""The page, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chromium
import pytest
from playwright.sync_api import Browser, ConsoleMessage
from playwright.sync_api import Page as Tab
from processes import Process
from waiting import until

SAMPLE = Path(__file__).parents[2] / "examples" / "data" / "weather.csv"
NONE = "\u2013"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    yield from chromium.chromium()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    yield from chromium.tab(browser)


class Page:
    """What a person sees."""

    def __init__(self, tab: Tab, url: str) -> None:
        self.tab = tab
        self.errors: list[str] = []
        tab.on("console", self._hear)
        tab.on("pageerror", lambda error: self.errors.append(error.message))
        tab.goto(url)

    def _hear(self, line: ConsoleMessage) -> None:
        if line.type == "error":
            self.errors.append(line.text)

    def text(self, element_id: str) -> str:
        return self.tab.inner_text(f"#{element_id}")

    def rows(self, table_id: str) -> list[list[str]]:
        rows = self.tab.locator(f"#{table_id} tbody tr").all()
        return [row.locator("> *").all_inner_texts() for row in rows]

    def upload(self, file: Path) -> None:
        self.tab.set_input_files("#file", file)
        self.tab.click("button[type=submit]")

    def has_result(self) -> bool:
        return self.tab.is_visible("#result")

    def share(self) -> float:
        """How much of the bar is filled; below 0 while its end is not known."""
        return float(self.tab.evaluate("document.getElementById('bar').position"))


def assert_sample_is_profiled(page: Page) -> None:
    assert (page.text("good"), page.text("bad"), page.text("width")) == ("2,919", "3", "7")
    assert ["temp_max", "number", "2,919", "0", "-7.7", "37.8", "16.77"] in page.rows("columns")
    assert ["date", "date", "2,919", "0", "2012-01-01", "2015-12-31", NONE] in page.rows("columns")
    assert [row[0] for row in page.rows("bad-rows")] == ["417", "1203", "2291"]
    assert page.rows("bad-rows")[1][1] == "precipitation: 'trace' is not a number"
    assert page.text("state") == "done"


def test_upload_progress_and_result(tab: Tab, backend: Any, worker: Process) -> None:
    page = Page(tab, backend.url)
    page.upload(SAMPLE)
    until(lambda: 0 < page.share() < 1, "the bar is partly filled")
    assert "of 2,922 rows" in page.text("status")
    until(page.has_result, "the result")
    assert_sample_is_profiled(page)
    assert page.share() == 1

    # The address names the job: a reload, or another person, sees it too.
    assert "?job=" in tab.url
    tab.reload()
    until(page.has_result, "the result after a reload")
    assert_sample_is_profiled(page)

    assert page.errors == []


def test_the_sample_button(tab: Tab, backend: Any, worker: Process) -> None:
    page = Page(tab, backend.url)
    tab.click("#sample")
    until(page.has_result, "the result")
    assert_sample_is_profiled(page)


def test_a_dead_job_shows_its_error(
    tab: Tab, backend: Any, worker: Process, tmp_path: Path
) -> None:
    hostile = tmp_path / "hostile.csv"
    markup = "<img src=x onerror=document.title=1>"
    hostile.write_text(f"{markup},{markup}\n1,2\n")
    page = Page(tab, backend.url)
    page.upload(hostile)
    until(lambda: page.text("state") == "dead", "the job is dead")
    assert page.text("error").startswith("ValueError: the header names '<img src=x")
    assert not page.has_result()
    assert tab.title() != "1"


def test_names_in_a_file_are_text_not_markup(
    tab: Tab, backend: Any, worker: Process, tmp_path: Path
) -> None:
    hostile = tmp_path / "hostile.csv"
    hostile.write_text("<b id=x>name</b>,n\n" + "t,1\n" * 30 + "t,<i id=y>2</i>\n")
    page = Page(tab, backend.url)
    page.upload(hostile)
    until(page.has_result, "the result")
    assert page.rows("columns")[0][0] == "<b id=x>name</b>"
    assert page.rows("bad-rows") == [["32", "n: '<i id=y>2</i>' is not an integer"]]
    assert tab.locator("#x, #y").count() == 0


def test_what_the_server_refuses_is_said_on_the_page(tab: Tab, backend_without_broker: Any) -> None:
    page = Page(tab, backend_without_broker.url)
    page.upload(SAMPLE)
    until(lambda: "cannot be reached" in page.text("refused"), "the reason")


def test_an_unknown_job_is_said_on_the_page(tab: Tab, backend: Any) -> None:
    page = Page(tab, f"{backend.url}/?job=nobody")
    until(lambda: "no job nobody is known" in page.text("refused"), "the reason")
