"""Keys, what a browser remembers, and what stays where it is while a page renews itself."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import chromium
import pytest
from playwright.sync_api import Browser, Page, expect
from processes import Process
from servers import Server
from serving import Web
from waiting import until

pytestmark = pytest.mark.slow  # a browser, a minute in all

Start = Callable[..., Process]


@pytest.fixture
def tab(tab: Page) -> Page:
    """A page that renews itself every two seconds."""
    tab.add_init_script("localStorage['flaskiq.interval'] ??= '2'")
    return tab


def ticked(tab: Page) -> list[int]:
    """The rows of a list that are ticked, counted from 0."""
    found: list[int] = tab.locator("#live-jobs tbody tr").evaluate_all(
        "all => all.flatMap((each, n) => each.querySelector('input:checked') ? [n] : [])"
    )
    return found


def test_g_and_a_letter_lead_to_a_page(tab: Page, url: str) -> None:
    tab.goto(f"{url}/")
    for key, path in (("q", "/queues"), ("d", "/dead"), ("h", "/chords"), ("o", "/")):
        tab.keyboard.press("g")
        tab.keyboard.press(key)
        tab.wait_for_url(f"{url}{path}")
    tab.keyboard.press("g")
    tab.keyboard.press("z")
    tab.keyboard.press("q")
    assert tab.url == f"{url}/", "it was about another letter"


def test_rows_are_marked_ticked_and_opened(tab: Page, url: str, jobs: ModuleType) -> None:
    jobs.Add.perform_bulk([(n, 0) for n in range(6)])
    tab.goto(f"{url}/queues/default")
    rows, at = tab.locator("#live-jobs tbody tr"), tab.locator("tr.at")
    for key in "jjk":
        tab.keyboard.press(key)
    expect(at).to_have_count(1)
    expect(rows.nth(0)).to_have_class("at")
    for key in "jx":
        tab.keyboard.press(key)
    assert ticked(tab) == [1]
    for key in ("j", "j", "Shift+X"):
        tab.keyboard.press(key)
    assert ticked(tab) == [1, 2, 3]
    tab.keyboard.press("x")
    assert ticked(tab) == [1, 2]
    opened = rows.nth(3).locator("input").get_attribute("value")
    tab.keyboard.press("o")
    tab.wait_for_url(f"{url}/job/{opened}")


def test_a_range_is_ticked_by_mouse(tab: Page, url: str, jobs: ModuleType) -> None:
    jobs.Add.perform_bulk([(n, 0) for n in range(6)])
    tab.goto(f"{url}/queues/default")
    boxes = tab.locator("#live-jobs tbody input")
    boxes.nth(4).click()
    boxes.nth(2).click(modifiers=["Shift"])
    assert ticked(tab) == [2, 3, 4]


def test_what_was_chosen_stays_chosen_when_jobs_come(tab: Page, url: str, jobs: ModuleType) -> None:
    first = jobs.Add.perform_async(1, 1)
    jobs.Add.perform_async(2, 2)
    tab.goto(f"{url}/queues/default")
    for key in "jjx":
        tab.keyboard.press(key)
    jobs.Add.perform_async(3, 3)
    tab.keyboard.press("r")
    expect(tab.locator("#live-jobs tbody tr")).to_have_count(3)
    expect(tab.locator("tr.at input")).to_have_value(first.id)
    assert ticked(tab) == [2]


def test_the_filter_and_what_is_typed_there(tab: Page, url: str, jobs: ModuleType) -> None:
    jobs.Add.perform_async()
    tab.goto(f"{url}/queues/default")
    tab.keyboard.press("/")
    expect(tab.get_by_label("Worker")).to_be_focused()
    tab.keyboard.type("gqjx?/ro")
    expect(tab.get_by_label("Worker")).to_have_value("gqjx?/ro")
    assert tab.url == f"{url}/queues/default"
    expect(tab.locator("dialog[open], tr.at, input:checked")).to_have_count(0)


def test_the_dialog_of_the_keys(tab: Page, url: str) -> None:
    tab.goto(f"{url}/queues")
    dialog = tab.get_by_role("dialog", name="Keys")
    tab.keyboard.press("?")
    expect(dialog).to_be_visible()
    for key in "gdj":
        tab.keyboard.press(key)
    assert tab.url == f"{url}/queues", "it is over the page"
    tab.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    tab.get_by_role("button", name="Keys").click()
    expect(dialog).to_be_visible()
    tab.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


@pytest.mark.parametrize(("system", "choice"), [("dark", "light"), ("light", "dark")])
def test_the_theme_is_remembered_and_beats_the_system(
    tab: Page, url: str, system: str, choice: str
) -> None:
    tab.emulate_media(color_scheme=system)  # type: ignore[arg-type]
    tab.goto(f"{url}/")
    assert scheme(tab) == system
    tab.get_by_label("Theme").select_option(choice)
    assert scheme(tab) == choice
    # Before the body is there nothing can have been painted.
    tab.add_init_script(
        "new MutationObserver(() => { if (document.body) "
        "window.early ??= document.documentElement.dataset.theme; })"
        ".observe(document, {childList: true, subtree: true})"
    )
    tab.goto(f"{url}/busy")
    assert tab.evaluate("early") == choice
    assert scheme(tab) == choice
    expect(tab.get_by_label("Theme")).to_have_value(choice)
    tab.get_by_label("Theme").select_option("")
    assert scheme(tab) == system


def scheme(tab: Page) -> str:
    """What the page looks like."""
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    lightness = float(ground.removeprefix("oklch(").split()[0])
    return "light" if lightness > 0.5 else "dark"


def test_the_interval_is_remembered(chrome: Browser, url: str) -> None:
    for tab in chromium.tab(chrome):
        tab.goto(f"{url}/")
        expect(tab.get_by_label("Refresh")).to_have_value("5")
        tab.get_by_label("Refresh").select_option("0")
        tab.goto(f"{url}/busy")
        expect(tab.get_by_label("Refresh")).to_have_value("0")
        tab.evaluate("localStorage['flaskiq.interval'] = 'nonsense'")
        tab.reload()
        expect(tab.get_by_label("Refresh")).to_have_value("5")


def test_nothing_is_replaced_while_its_text_is_selected(
    tab: Page, url: str, jobs: ModuleType
) -> None:
    job = jobs.Add.perform_async(1, 1)
    tab.goto(f"{url}/queues/default")
    tab.evaluate("getSelection().selectAllChildren(document.querySelector('tbody td.mono'))")
    jobs.Add.perform_async(2, 2)
    # The page has been renewed, all of it but the list.
    expect(tab.locator(".numbers")).to_contain_text("Enqueued\n2", use_inner_text=True)
    expect(tab.locator("#live-jobs tbody tr")).to_have_count(1)
    assert tab.evaluate("String(getSelection())").strip() == "1, 1"
    tab.evaluate("getSelection().removeAllRanges()")
    expect(tab.locator("#live-jobs tbody tr")).to_have_count(2)
    expect(tab.locator("tbody")).to_contain_text(job.id[:8])


def test_a_traceback_stays_open(tab: Page, url: str, jobs: ModuleType, start: Start) -> None:
    start()
    job = jobs.Fail.perform_async("no answer")
    tab.goto(f"{url}/retries")
    tab.get_by_role("link", name=job.id[:8]).click()
    trace = tab.locator("#trace")
    trace.locator("summary").click()
    expect(trace.locator("pre")).to_be_visible()
    tab.evaluate("document.querySelector('#live-job').dataset.old = 1")
    tab.keyboard.press("r")
    expect(tab.locator("#live-job:not([data-old])")).to_have_count(1)
    expect(trace.locator("pre")).to_be_visible()
    trace.locator("summary").click()
    tab.evaluate("document.querySelector('#live-job').dataset.old = 1")
    tab.keyboard.press("r")
    expect(tab.locator("#live-job:not([data-old])")).to_have_count(1)
    expect(trace.locator("pre")).to_be_hidden()


def test_a_table_stays_where_it_was_scrolled_to(tab: Page, url: str, jobs: ModuleType) -> None:
    jobs.Add.perform_async("a" * 60, 1)
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(f"{url}/queues/default")
    tab.evaluate("document.querySelector('.scroll').scrollLeft = 70")
    jobs.Add.perform_async(2, 2)
    expect(tab.locator("#live-jobs tbody tr")).to_have_count(2)
    assert tab.evaluate("document.querySelector('.scroll').scrollLeft") == 70


def test_it_says_when_the_web_server_is_away(
    tab: Page, url: str, web: Web, jobs: ModuleType
) -> None:
    tab.goto(f"{url}/queues/default")
    says_away(tab, is_away=False)
    web.stop()
    says_away(tab, is_away=True)
    jobs.Add.perform_async()
    web.start()
    says_away(tab, is_away=False)
    expect(tab.locator("#live-jobs tbody tr")).to_have_count(1)


def test_it_says_when_redis_is_away(tab: Page, url: str, own_server: Server) -> None:
    tab.goto(f"{url}/queues")
    own_server.kill()
    says_away(tab, is_away=True)
    tab.goto(f"{url}/busy")
    expect(tab.locator("h1")).to_have_text("Redis is out of reach")
    own_server.start()
    tab.goto(f"{url}/busy")
    expect(tab.locator("h1")).to_have_text("Busy")
    says_away(tab, is_away=False)


def says_away(tab: Page, *, is_away: bool) -> None:
    """Wait until the page says so, or no longer does."""
    says = "getComputedStyle(document.querySelector('.live'), '::after').content"
    until(lambda: ("out of reach" in tab.evaluate(says)) is is_away, f"away: {is_away}")
