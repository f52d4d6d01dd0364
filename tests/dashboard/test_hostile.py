"""Jobs that mean harm to whoever looks at them, and sites that mean harm to who is logged in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest
from celery import chord, group
from pages import Browser as Pages
from playwright.sync_api import Page, expect
from processes import Process
from redis import Redis
from serving import Web
from waiting import until
from werkzeug import Request, Response

from flaskiq import Batch, api, current

pytestmark = pytest.mark.slow  # a browser, a minute in all

Start = Callable[..., Process]

MOST = 300_000
"""Bytes of a page."""

BIG = "<b>" + "x" * 1_000_000

QUEUE = "<script>alert(4)</script>\"'>"

HALF = "half an emoji: \ud83d"

PAGES = (
    "/", "/busy", "/queues", "/queues/default", "/scheduled", "/retries", "/dead", "/cron",
    "/batches", "/chords", "/metrics",
)  # fmt: skip


@pytest.fixture
def heard(tab: Page) -> list[str]:
    """What a script did that should not have run, and what went wrong in one of ours."""
    heard: list[str] = []

    def hear(dialog: Any) -> None:
        heard.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    tab.on("dialog", hear)
    tab.on("pageerror", lambda error: heard.append(f"error: {error}"))
    tab.on("console", lambda said: heard.append(f"console: {said.text}"))
    return heard


@pytest.fixture
def evil(jobs: ModuleType, store: Redis, start: Start) -> list[str]:
    """The pages of an app that holds jobs of every kind of malice."""
    text = f"{jobs.EVIL}\0{HALF}"
    queues = jobs.celery_app.amqp.queues
    known = set(queues)
    task = jobs.celery_app.tasks[jobs.EVIL]
    theirs = {"organization_id": jobs.EVIL, "user_id": BIG}
    start("-c", "1", "-Q", f"default,{QUEUE}", FLASKIQ_CHORD_WATCH="1")

    # Done, retried, dead, with a batch and a chord of their own.
    done = task.delay(text, BIG)
    retried = jobs.Fail.set(tenant=theirs).perform_async(text, **{jobs.EVIL: BIG})
    dead = jobs.Die.perform_async(BIG + text)
    failed = task.delay(text, **{jobs.EVIL: text})
    with Batch(f"{jobs.EVIL}\0") as batch:
        jobs.Die.perform_async(text)
    with Batch(BIG):
        jobs.Add.perform_async()
    unknown = jobs.celery_app.send_task(BIG, [text], queue="default")
    parts = group(task.s(text), task.s(text).set(queue="nobodys"))
    body = chord(parts, task.s(text))()
    for job_id, state in (
        (done.id, "done"), (retried.id, "retrying"), (dead.id, "dead"), (failed.id, "dead"),
        (unknown.id, "dead"),
    ):  # fmt: skip
        until(partial(_is, job_id, state), state)
    held = jobs.Hold.set(queue=QUEUE).perform_async()
    until(partial(_is, held.id, "running"), "it runs, so the others wait")

    # Waiting, the last ones written by somebody else.
    scheduled = jobs.Add.set(queue=BIG, tenant=theirs).perform_in(3600, text)
    ready = jobs.Fail.set(tenant=theirs).perform_async(text, **{jobs.EVIL: BIG})
    task.apply_async((text,), queue=QUEUE)
    message = json.loads(store.lindex("default", 0) or "")
    for headers in ({"task": BIG}, {"id": "a/b?c#d"}, {"flaskiq_enqueued_at": 1e300}):
        changed = {**message, "headers": {**message["headers"], **headers}}
        store.lpush("default", json.dumps(changed))
    store.lpush("default", "{broken", b"\xff\xfe", b"\0" * 2_000_000, json.dumps(message)[:-9])
    until(lambda: [each.verdict for each in _chords() if each.verdict], "the chord was looked at")

    for name in set(queues) - known:
        del queues[name]  # other tests have the same app

    of_jobs = [done, retried, dead, failed, unknown, held, scheduled, ready]
    ids = [each.id for each in of_jobs] + ["a/b?c#d"]
    return [
        *PAGES,
        f"/queues/{quote(QUEUE, safe='')}",
        f"/metrics/{quote(jobs.EVIL, safe='')}",
        f"/batches/{batch.id}",
        f"/chords/{body.parent.id}",
        *(f"/job/{quote(each, safe='')}" for each in ids),
    ]


def _is(job_id: str, state: str) -> bool:
    return api.find(job_id).state == state


def _chords() -> list[Any]:
    return list(current.state().store.chords.last(9))


def test_a_page_takes_what_a_job_says_as_text(
    tab: Page, url: str, heard: list[str], evil: list[str], jobs: ModuleType
) -> None:
    tab.add_init_script("localStorage['flaskiq.interval'] = '0'")
    for path in evil:
        answer = tab.goto(url + path)
        assert answer is not None
        assert (path, answer.status) == (path, 200)
        assert len(answer.body()) < MOST, path
        expect(tab.locator("h1")).to_have_count(1)
        expect(tab.locator("main img, main script, main b b")).to_have_count(0)
        protocols = tab.locator("a").evaluate_all("all => all.map((each) => each.protocol)")
        assert set(protocols) == {"http:"}, path
        with tab.expect_response(url + path):
            tab.keyboard.press("r")
        assert heard == [], path
    tab.goto(f"{url}/queues/default")
    expect(tab.locator("tbody tr", has_text="unreadable")).to_have_count(4)


def test_json_is_only_json(
    tab: Page, url: str, heard: list[str], evil: list[str], jobs: ModuleType
) -> None:
    client = jobs.app.test_client()
    for path in [*evil, "/stats"]:
        answer = client.get(f"/jobs/api/v1{path}")
        assert (path, answer.status_code, answer.mimetype) == (path, 200, "application/json")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert isinstance(answer.get_json(), dict)
    tab.route("**/favicon.ico", lambda route: route.fulfill())
    tab.goto(f"{url}/api/v1/batches")
    expect(tab.locator("body")).to_contain_text("<script>alert(1)</script>")
    assert heard == []


@pytest.fixture
def other_site(url: str) -> Iterator[Web]:
    """A page of somebody else, which frames the dashboard and sends forms to it."""
    page = f"""<!doctype html>
        <iframe src="{url}/queues"></iframe>
        <form method="post" action="{url}/queues">
          <input name="act" value="pause"><input name="queue" value="low">
          <input name="flaskiq_token" value="guessed"><button>You have won</button>
        </form>"""
    web = Web(Request.application(lambda _: Response(page, mimetype="text/html")), "localhost")
    yield web
    web.stop()


def test_no_other_site_can_frame_a_page(tab: Page, url: str, other_site: Web) -> None:
    tab.goto(f"{url}/queues")  # there is a session
    with tab.expect_event("requestfailed") as refused:
        tab.goto(other_site.url)
    assert refused.value.url == f"{url}/queues"
    assert refused.value.failure == "net::ERR_BLOCKED_BY_RESPONSE"


def test_no_other_site_can_act(tab: Page, url: str, other_site: Web, jobs: ModuleType) -> None:
    tab.goto(f"{url}/queues")
    tab.goto(other_site.url)
    with tab.expect_response(f"{url}/queues") as answer:
        tab.get_by_role("button", name="You have won").click()
    assert answer.value.status == 403
    expect(tab.get_by_role("alert")).to_have_text("This request was made by another site.")
    assert not api.Queue("low").is_paused


@pytest.mark.parametrize(
    "headers",
    [
        {"task": ["x"]}, {"task": 5}, {"retries": "abc"}, {"retries": [1]},
        {"flaskiq_enqueued_at": "soon"}, {"flaskiq_enqueued_at": float("nan")},
        {"flaskiq_attempts": [[1, "a", "b", "c", "d"]]}, {"flaskiq_part": 5},
    ],
)  # fmt: skip
def test_a_message_that_makes_no_sense_hides_no_other(
    browser: Pages, jobs: ModuleType, store: Redis, headers: dict[str, Any]
) -> None:
    job = jobs.Add.perform_async()
    message = json.loads(store.lindex("default", 0) or "")
    odd = {**message, "headers": {**message["headers"], **headers, "id": "odd"}}
    store.lpush("default", json.dumps(odd), "[" * 200_000)
    for path in ("/", "/queues", "/queues/default", "/job/odd"):
        browser.get(path)
        assert browser.client.get(f"/jobs/api/v1{path}").status_code == 200
    assert job.id[:8] in browser.get("/queues/default")
