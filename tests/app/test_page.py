"""The page, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from chromium import chromium
from processes import Process
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from waiting import until

SAMPLE = Path(__file__).parents[2] / "examples" / "data" / "weather.csv"
NONE = "\u2013"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    yield from chromium(tmp_path_factory.mktemp("chromium"))


class Page:
    """What a person sees."""

    def __init__(self, browser: Chrome, url: str) -> None:
        self.browser = browser
        browser.get(url)

    def text(self, element_id: str) -> str:
        return self.browser.find_element(By.ID, element_id).text

    def rows(self, table_id: str) -> list[list[str]]:
        rows = self.browser.find_elements(By.CSS_SELECTOR, f"#{table_id} tbody tr")
        return [[cell.text for cell in row.find_elements(By.XPATH, "*")] for row in rows]

    def upload(self, file: Path) -> None:
        self.browser.find_element(By.ID, "file").send_keys(str(file))
        self.browser.find_element(By.CSS_SELECTOR, "button[type=submit]").click()

    def has_result(self) -> bool:
        return self.browser.find_element(By.ID, "result").is_displayed()

    def share(self) -> float:
        """How much of the bar is filled; below 0 while its end is not known."""
        return float(self.browser.execute_script("return document.getElementById('bar').position"))


def assert_sample_is_profiled(page: Page) -> None:
    assert (page.text("good"), page.text("bad"), page.text("width")) == ("2,919", "3", "7")
    assert ["temp_max", "number", "2,919", "0", "-7.7", "37.8", "16.77"] in page.rows("columns")
    assert ["date", "date", "2,919", "0", "2012-01-01", "2015-12-31", NONE] in page.rows("columns")
    assert [row[0] for row in page.rows("bad-rows")] == ["417", "1203", "2291"]
    assert page.rows("bad-rows")[1][1] == "precipitation: 'trace' is not a number"
    assert page.text("state") == "done"


def test_upload_progress_and_result(browser: Chrome, backend: Any, worker: Process) -> None:
    page = Page(browser, backend.url)
    page.upload(SAMPLE)
    until(lambda: 0 < page.share() < 1, "the bar is partly filled")
    assert "of 2,922 rows" in page.text("status")
    until(page.has_result, "the result")
    assert_sample_is_profiled(page)
    assert page.share() == 1

    # The address names the job: a reload, or another person, sees it too.
    assert "?job=" in browser.current_url
    browser.refresh()
    until(page.has_result, "the result after a reload")
    assert_sample_is_profiled(page)

    severe = [line for line in cast("Any", browser).get_log("browser") if line["level"] == "SEVERE"]
    assert severe == []


def test_the_sample_button(browser: Chrome, backend: Any, worker: Process) -> None:
    page = Page(browser, backend.url)
    browser.find_element(By.ID, "sample").click()
    until(page.has_result, "the result")
    assert_sample_is_profiled(page)


def test_a_dead_job_shows_its_error(
    browser: Chrome, backend: Any, worker: Process, tmp_path: Path
) -> None:
    hostile = tmp_path / "hostile.csv"
    markup = "<img src=x onerror=document.title=1>"
    hostile.write_text(f"{markup},{markup}\n1,2\n")
    page = Page(browser, backend.url)
    page.upload(hostile)
    until(lambda: page.text("state") == "dead", "the job is dead")
    assert page.text("error").startswith("ValueError: the header names '<img src=x")
    assert not page.has_result()
    assert browser.title != "1"


def test_names_in_a_file_are_text_not_markup(
    browser: Chrome, backend: Any, worker: Process, tmp_path: Path
) -> None:
    hostile = tmp_path / "hostile.csv"
    hostile.write_text("<b id=x>name</b>,n\n" + "t,1\n" * 30 + "t,<i id=y>2</i>\n")
    page = Page(browser, backend.url)
    page.upload(hostile)
    until(page.has_result, "the result")
    assert page.rows("columns")[0][0] == "<b id=x>name</b>"
    assert page.rows("bad-rows") == [["32", "n: '<i id=y>2</i>' is not an integer"]]
    assert browser.find_elements(By.CSS_SELECTOR, "#x, #y") == []


def test_what_the_server_refuses_is_said_on_the_page(
    browser: Chrome, backend_without_broker: Any
) -> None:
    page = Page(browser, backend_without_broker.url)
    page.upload(SAMPLE)
    until(lambda: "cannot be reached" in page.text("refused"), "the reason")


def test_an_unknown_job_is_said_on_the_page(browser: Chrome, backend: Any) -> None:
    page = Page(browser, f"{backend.url}/?job=nobody")
    until(lambda: "no job nobody is known" in page.text("refused"), "the reason")
