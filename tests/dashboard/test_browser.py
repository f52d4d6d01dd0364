"""What an operator does, in a real browser: each with the script of the pages and without."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from types import ModuleType

import chromium
import pytest
from playwright.sync_api import Browser, Dialog, Page, expect
from processes import Process
from redis import Redis
from waiting import until

from flaskiq import api
from flaskiq.api import State

pytestmark = pytest.mark.slow  # a browser, a minute in all

Start = Callable[..., Process]

PATIENCE = 30_000
"""Milliseconds."""


@pytest.fixture(params=[True, False], ids=["script", "no-script"])
def page(chrome: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that renews itself every two seconds, and one that has to be loaded again."""
    for page in chromium.tab(chrome, java_script_enabled=request.param):
        page.add_init_script("localStorage['flaskiq.interval'] = '2'")
        yield page


def has_script(page: Page) -> bool:
    return page.locator("#interval").is_visible()


def see(page: Page, text: str) -> None:
    """Wait until a page says something."""
    main = page.locator("main")
    if has_script(page):
        expect(main).to_contain_text(text, timeout=PATIENCE)
        return

    def says() -> bool:
        page.reload()
        return text in main.inner_text()

    until(says, f"{page.url} says {text!r}")


def states(page: Page) -> list[str]:
    """The states on a job's way, the one that it is in marked."""
    found: list[str] = page.locator(".way li").evaluate_all(
        "all => all.map((each) => each.textContent + (each.ariaCurrent ? '!' : ''))"
    )
    return found


def tick(page: Page, text: str) -> None:
    """Tick the row of a list that has a text in it."""
    page.locator("tbody tr", has_text=text).locator("input[name=id]").check()


def press(page: Page, title: str) -> None:
    page.get_by_role("button", name=title, exact=True).click()


def test_a_job_is_seen_in_its_queue(page: Page, url: str, jobs: ModuleType) -> None:
    page.goto(f"{url}/queues")
    page.get_by_role("link", name="default", exact=True).click()
    see(page, "No job is ready here.")
    job = jobs.Add.perform_async(20, 22)
    see(page, job.id[:8])
    see(page, "1 ready")
    expect(page.locator("#live-jobs tbody tr")).to_contain_text("Add")
    expect(page.locator("#live-jobs tbody tr")).to_contain_text("20, 22")
    page.get_by_role("link", name=job.id[:8]).click()
    expect(page.locator("h1")).to_have_text("dashboard_app.Add queued")


def test_a_job_fails_and_is_retried(
    page: Page, url: str, jobs: ModuleType, store: Redis, start: Start
) -> None:
    page.goto(f"{url}/retries")
    see(page, "No job waits for another attempt")
    job = jobs.Fail.perform_async("no answer from 10.0.0.7")
    start()
    see(page, "ValueError no answer from 10.0.0.7")
    tick(page, job.id[:8])
    press(page, "Retry now")
    see(page, "Enqueued 1 job again.")
    until(lambda: api.find(job.id).state is State.DEAD, "it died")
    page.get_by_role("link", name="Dead", exact=True).first.click()
    see(page, job.id[:8])


def test_a_job_is_killed(page: Page, url: str, jobs: ModuleType, start: Start) -> None:
    start()
    job = jobs.Fail.perform_async("for ever")
    page.goto(f"{url}/retries")
    see(page, "ValueError for ever")
    tick(page, job.id[:8])
    press(page, "Kill")
    see(page, "Moved 1 job into the dead set.")
    see(page, "No job waits for another attempt")
    page.goto(f"{url}/job/{job.id}")
    assert states(page) == ["queued", "running", "dead!"]


def test_a_dead_job_is_replayed_and_succeeds(
    page: Page, url: str, jobs: ModuleType, store: Redis, start: Start
) -> None:
    start()
    job = jobs.Die.perform_async("repaired")
    page.goto(f"{url}/dead")
    see(page, "ValueError repaired")
    store.set("go", 1)
    tick(page, job.id[:8])
    press(page, "Retry")
    see(page, "Enqueued 1 job again.")
    see(page, "No job has given up.")
    page.goto(f"{url}/job/{job.id}")
    see(page, "Result")
    assert states(page) == ["queued", "running", "done!"]
    assert '"repaired"' in page.locator("pre").last.inner_text()


def test_a_queue_stays_paused_when_workers_are_started_again(
    page: Page, url: str, jobs: ModuleType, start: Start
) -> None:
    worker = start()
    page.goto(f"{url}/queues")
    press(page, "Pause default")
    see(page, "Paused.")
    worker.send(signal.SIGTERM)
    worker.wait()
    start()
    job = jobs.Add.perform_async(1, 1)
    # Whoever has run a job of the lower queue has passed by this one.
    other = jobs.Add.set(queue="low").perform_async(2, 2)
    until(lambda: api.find(other.id).state is State.DONE, "the other one has run")
    page.goto(f"{url}/queues/default")
    see(page, "Queue default paused")
    see(page, job.id[:8])
    press(page, "Go on default")
    see(page, "It goes on.")
    see(page, "No job is ready here.")
    page.goto(f"{url}/job/{job.id}")
    see(page, "Result")


def test_a_cron_entry_is_run_now(page: Page, url: str, jobs: ModuleType, start: Start) -> None:
    start()
    page.goto(f"{url}/cron")
    entry = page.locator("tr", has_text="Nightly")
    expect(entry).to_contain_text("none yet")
    entry.get_by_role("button", name="Run now").click()
    see(page, "Enqueued 1 job.")
    see(page, "now done")
    page.locator("tr", has_text="Nightly").get_by_role("link", name="done").click()
    expect(page.locator("h1")).to_have_text("dashboard_app.Nightly done")
    expect(page.locator("main")).to_contain_text('"night"')


def test_thousands_that_match_are_deleted(
    page: Page, url: str, jobs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flaskiq.web.dashboard.acts.BUDGET", 0)
    jobs.Die.perform_bulk([("other",)] * 500)
    jobs.Add.perform_bulk([(n, 0) for n in range(5_000)])
    jobs.Die.perform_bulk([("other",)] * 500)
    page.goto(f"{url}/queues/default")
    page.get_by_label("Worker").fill("Add")
    press(page, "Filter")
    page.get_by_label("all that match, not this page only").check()
    questions: list[str] = []

    def agree(dialog: Dialog) -> None:
        questions.append(dialog.message)
        dialog.accept()

    page.on("dialog", agree)
    asks = goes_on = has_script(page)
    press(page, "Delete")
    said = page.locator(".said")
    for thousands in range(1, 1 if goes_on else 6):
        expect(said).to_contain_text(f" {thousands},000 of 6,000 jobs were looked at.")
        press(page, "Go on")
    expect(said).to_have_text("Deleted 5,000 jobs.", timeout=PATIENCE)
    assert questions == (["Delete all that match, not this page only?"] if asks else [])
    expect(page.locator("main")).to_contain_text("No job is like that.")
    assert api.Queue("default").size == 1_000


def test_the_way_of_a_job(
    page: Page, url: str, jobs: ModuleType, store: Redis, start: Start
) -> None:
    job = jobs.Stumble.perform_async()
    page.goto(f"{url}/job/{job.id}")
    assert states(page) == ["queued!", "running", "done"]
    expect(page.locator("#live-job table")).to_have_count(0)
    start()
    see(page, "Running ")
    assert states(page) == ["queued", "running!", "done"]
    store.set("go", 1)
    see(page, "Last failure")
    assert states(page) == ["queued", "running", "retrying!", "running", "done"]
    expect(page.locator("h1")).to_have_text("dashboard_app.Stumble retrying")
    attempts = page.get_by_role("region", name="Attempts").locator("tbody tr")
    expect(attempts).to_have_count(1)
    expect(attempts).to_contain_text("ValueError: not yet")
    press(page, "Retry now")
    see(page, "Enqueued 1 job again.")
    see(page, "ran for")
    assert states(page) == ["queued", "running", "done!"]
    expect(attempts).to_have_count(2)
    expect(attempts.first).to_contain_text("done")
    expect(attempts.last).to_contain_text("ValueError: not yet")
