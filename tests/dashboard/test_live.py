"""What the script of the pages adds, in a real browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from chromium import chromium
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from waiting import until
from werkzeug.serving import make_server


@pytest.fixture
def chrome(tmp_path: Path) -> Iterator[Chrome]:
    """Debian's chromium."""
    yield from chromium(tmp_path / "chromium")


@pytest.fixture
def url(jobs: ModuleType) -> Iterator[str]:
    """Where the dashboard is served."""
    server = make_server("127.0.0.1", 0, jobs.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/jobs"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_page_renews_itself_and_lets_go_where_somebody_works(
    chrome: Chrome, url: str, jobs: ModuleType
) -> None:
    jobs.Add.perform_async(1, 1)
    chrome.get(f"{url}/queues/default")
    assert "Refresh" in chrome.find_element(By.TAG_NAME, "header").text
    chrome.find_element(By.CSS_SELECTOR, "#interval option[value='2']").click()
    assert chrome.execute_script("return localStorage['flaskiq.interval']") == "2"
    chrome.execute_script("window.marked = 1; document.activeElement.blur()")
    jobs.Add.perform_async(2, 2)
    until(lambda: _rows(chrome) == 2, "the second job comes")
    assert _enqueued(chrome) == "2"
    chrome.find_element(By.NAME, "id").click()
    jobs.Add.perform_async(3, 3)
    with pytest.raises(AssertionError):
        until(lambda: _rows(chrome) == 3, "it stays while a job is ticked", 4)
    chrome.find_element(By.NAME, "id").click()
    chrome.execute_script("document.activeElement.blur()")
    until(lambda: _rows(chrome) == 3, "the third job comes")
    assert chrome.execute_script("return window.marked") == 1, "the page was not loaded again"


def test_ticking_all_and_deleting_them(chrome: Chrome, url: str, jobs: ModuleType) -> None:
    jobs.Add.perform_bulk([(n, 0) for n in range(3)])
    chrome.get(f"{url}/queues/default")
    chrome.find_element(By.CSS_SELECTOR, "[data-all]").click()
    chrome.find_element(By.CSS_SELECTOR, "button[value=delete]").click()
    until(lambda: "Deleted 3 jobs." in chrome.find_element(By.TAG_NAME, "main").text, "it says so")
    assert "No job is ready here." in chrome.find_element(By.TAG_NAME, "main").text


def test_it_asks_before_what_cannot_be_undone(chrome: Chrome, url: str, jobs: ModuleType) -> None:
    job = jobs.Add.perform_async()
    chrome.get(f"{url}/job/{job.id}")
    chrome.find_element(By.CSS_SELECTOR, "form[data-confirm] button").click()
    chrome.switch_to.alert.dismiss()
    assert "Deleted" not in chrome.find_element(By.TAG_NAME, "main").text
    chrome.find_element(By.CSS_SELECTOR, "form[data-confirm] button").click()
    chrome.switch_to.alert.accept()
    until(lambda: "Deleted 1 job." in chrome.find_element(By.TAG_NAME, "main").text, "it says so")


def _rows(chrome: Chrome) -> int:
    return len(chrome.find_elements(By.CSS_SELECTOR, "#live-jobs tr"))


def _enqueued(chrome: Chrome) -> str:
    return chrome.find_element(By.CSS_SELECTOR, ".numbers div:nth-child(4) dd").text
