"""What the script of the pages adds, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from playwright.sync_api import Dialog, Page
from waiting import until


def test_a_page_renews_itself_and_lets_go_where_somebody_works(
    tab: Page, url: str, jobs: ModuleType
) -> None:
    jobs.Add.perform_async(1, 1)
    tab.clock.install()
    tab.goto(f"{url}/queues/default")
    assert "Refresh" in tab.inner_text("header")
    tab.select_option("#interval", "2")
    assert tab.evaluate("localStorage['flaskiq.interval']") == "2"
    tab.evaluate("window.marked = 1; document.activeElement.blur()")
    jobs.Add.perform_async(2, 2)
    until(lambda: _rows(tab) == 2, "the second job comes")
    assert _enqueued(tab) == "2"
    tab.locator("input[name=id]").first.check()
    jobs.Add.perform_async(3, 3)
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.clock.run_for(60_000)
    assert (_rows(tab), asked) == (2, []), "it stays while a job is ticked"
    tab.locator("input[name=id]").first.uncheck()
    tab.evaluate("document.activeElement.blur()")
    until(lambda: _rows(tab) == 3, "the third job comes")
    assert tab.evaluate("window.marked") == 1, "the page was not loaded again"


def test_ticking_all_and_deleting_them(tab: Page, url: str, jobs: ModuleType) -> None:
    jobs.Add.perform_bulk([(n, 0) for n in range(3)])
    tab.goto(f"{url}/queues/default")
    tab.check("[data-all]")
    tab.click("button[value=delete]")
    until(lambda: "Deleted 3 jobs." in tab.inner_text("main"), "it says so")
    assert "No job is ready here." in tab.inner_text("main")


def test_it_asks_before_what_cannot_be_undone(tab: Page, url: str, jobs: ModuleType) -> None:
    job = jobs.Add.perform_async()
    tab.goto(f"{url}/job/{job.id}")
    questions: list[str] = []

    def delete(answer: Callable[[Dialog], None]) -> None:
        def hear(dialog: Dialog) -> None:
            questions.append(dialog.message)
            answer(dialog)

        tab.once("dialog", hear)
        tab.click("form[data-confirm] button")

    delete(Dialog.dismiss)
    assert "Deleted" not in tab.inner_text("main")
    delete(Dialog.accept)
    until(lambda: "Deleted 1 job." in tab.inner_text("main"), "it says so")
    assert questions == ["Delete this job?"] * 2


def _rows(tab: Page) -> int:
    return tab.locator("#live-jobs tbody tr").count()


def _enqueued(tab: Page) -> str:
    return tab.inner_text(".numbers div:nth-child(4) dd")
