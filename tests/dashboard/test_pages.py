"""What the pages show, and what can be done in them without JavaScript."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from types import ModuleType
from typing import Any

import pytest
from celery import chord, group
from pages import Browser
from processes import Process
from redis import Redis
from waiting import until

from flaskiq import Batch, api
from flaskiq.api import State

Start = Callable[..., Process]

PAGES = (
    "/", "/busy", "/queues", "/queues/default", "/scheduled", "/retries", "/dead", "/cron",
    "/batches", "/chords", "/metrics", "/metrics/shop.Add",
)  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_a_page_of_an_empty_app(browser: Browser, path: str) -> None:
    text = browser.get(path)
    assert "Processed 0 Failed 0 Busy 0 Enqueued 0 Retries 0 Scheduled 0 Dead 0" in text
    assert browser.client.head(f"/jobs{path}").status_code == 200
    assert browser.page.count("<h1>") == 1
    assert "development" in text


def test_what_to_do_where_there_is_nothing(browser: Browser) -> None:
    assert "Start one: flaskiq worker start" in browser.get("/busy")
    assert "flaskiq beat" in browser.get("/cron")
    assert "No job waits for another attempt: all went well." in browser.get("/retries")
    assert "perform_in and perform_at put one here" in browser.get("/scheduled")
    assert "No job has given up." in browser.get("/dead")
    assert "Nobody knows a job none." in browser.get("/job/none", code=404)
    assert "No batch none is known." in browser.get("/batches/none", code=404)
    assert "No chord none is known." in browser.get("/chords/none", code=404)


def test_a_retry_from_its_first_failure_to_its_replay(
    browser: Browser, jobs: ModuleType, store: Redis, start: Start
) -> None:
    start()
    job = jobs.Fail.perform_async("no answer", api_key="hush", deep={"token": 1})
    until(lambda: api.find(job.id).state is State.RETRYING, "it waits")
    text = browser.get("/retries")
    assert "Retries 1" in text
    assert "ValueError no answer" in text
    assert "hush" not in browser.page
    text = browser.get(f"/job/{job.id}")
    assert "retrying" in text
    assert "raise ValueError(text)" in text
    assert "hush" not in browser.page
    assert '"token": "•••"' in text
    assert "Enqueued 1 job again." in browser.post(f"/job/{job.id}", act="retry")
    until(lambda: api.find(job.id).state is State.DEAD, "it died")
    assert "Retry this job" not in browser.get(f"/job/{job.id}")
    browser.get("/dead")
    assert "Enqueued 1 job again." in browser.post("/dead", act="retry", id=job.id)
    until(lambda: len(api.RetrySet()) == 1, "it failed again")
    browser.get("/retries")
    assert "Moved 1 job into the dead set." in browser.post("/retries", act="kill", id=job.id)
    assert "Deleted 1 job." in browser.post("/dead", act="delete", id=job.id)
    assert (len(api.RetrySet()), len(api.DeadSet())) == (0, 0)


def test_lists_are_paged_and_filtered(browser: Browser, jobs: ModuleType) -> None:
    for number in range(60):
        jobs.Add.perform_in(3600 + number, number, 0)
    jobs.Nightly.perform_in(7200)
    seen = []
    text, pages = browser.get("/scheduled"), 0
    while True:
        pages += 1
        seen += _numbers(browser.page)
        following = _next(browser.page)
        if following is None:
            break
        browser.get(f"/scheduled{following}")
    assert (pages, seen) == (4, list(range(60)))
    assert "Scheduled 61" in text
    text = browser.get("/scheduled?worker=Nightly")
    assert (text.count("Nightly"), text.count("Add")) == (1, 0)
    assert "No job is like that." in browser.get("/scheduled?worker=Unknown")
    assert browser.get("/scheduled?argument=[[7,").count("Add") == 1
    assert "'x,y' is no place in a set" in browser.get("/scheduled?after=x,y", code=400)


def _numbers(page: str) -> list[int]:
    return [int(each) for each in re.findall(r'mono wide">(\d+), 0<', page)]


def _next(page: str) -> str | None:
    found = re.search(r'rel="next" href="([^"]+)"', page)
    return unescape(found[1]) if found else None


def test_acting_on_all_that_match(browser: Browser, jobs: ModuleType) -> None:
    jobs.Add.perform_bulk([(n, 0) for n in range(500)])
    jobs.Die.perform_bulk([("x",)] * 3)
    browser.get("/queues/default?worker=Add")
    text = browser.post("/queues/default?worker=Add", act="delete", all="1", id="ignored")
    assert "Deleted 500 jobs." in text
    assert api.Queue("default").size == 3
    assert "No job was ticked." in browser.post("/queues/default", act="delete", code=400)


def test_pausing_a_queue(browser: Browser, jobs: ModuleType) -> None:
    browser.get("/queues")
    assert "low paused" in browser.post("/queues", act="pause", queue="low")
    assert api.Queue("low").is_paused
    browser.get("/queues/low")
    assert "It goes on." in browser.post("/queues/low", act="unpause")
    assert not api.Queue("low").is_paused


def test_a_process_and_what_runs_in_it(
    browser: Browser, jobs: ModuleType, store: Redis, start: Start
) -> None:
    start("-c", "1")
    job = jobs.Hold.perform_async()
    until(lambda: len(api.running()) == 1, "it runs")
    text = browser.get("/busy")
    assert job.id[:8] in text
    assert "1 of 1" in text
    (process,) = api.ProcessSet()
    assert "It takes no more jobs." in browser.post("/busy", act="quiet", process=process.identity)
    until(lambda: "quiet" in browser.get("/busy"), "it is quiet")
    assert "Cancelled 1 job." in _act_on(browser, job.id, "cancel")
    store.set("go", 1)
    assert "There is no process x" in browser.post("/busy", act="stop", process="x", code=404)


def _act_on(browser: Browser, job_id: str, act: str) -> str:
    browser.get(f"/job/{job_id}")
    return browser.post(f"/job/{job_id}", act=act)


def test_cron(browser: Browser, jobs: ModuleType) -> None:
    text = browser.get("/cron")
    assert "0 3 * * * UTC At 03:00" in text
    assert "none yet" in text
    name = jobs.Nightly.task_name()
    assert "now under way" in browser.post("/cron", act="run", entry=name)
    assert "paused" in browser.post("/cron", act="pause", entry=name)
    assert api.CronEntry(name).is_paused
    assert "paused" not in browser.post("/cron", act="unpause", entry=name)
    assert "no cron entry" in browser.post("/cron", act="run", entry="x", code=404)


def test_batches_and_chords(browser: Browser, jobs: ModuleType, store: Redis, start: Start) -> None:
    with Batch("import") as batch:
        jobs.Die.perform_bulk([("x",), ("y",)])
    start(FLASKIQ_CHORD_WATCH="1")
    until(lambda: batch.status().dead == 2 and len(api.DeadSet()) == 2, "both died")
    assert "import blocked" in browser.get("/batches")
    assert "2 dead" in browser.get(f"/batches/{batch.id}")
    store.set("go", 1)
    assert "Enqueued 2 jobs again." in browser.post(f"/batches/{batch.id}", act="retry")
    until(lambda: batch.status().state == "success", "it succeeds")
    result = chord(group(jobs.Add.s(1, 2).set(queue="away"), jobs.Add.s(3, 4)), jobs.Add.s(1))()
    until(lambda: store.llen("away") == 1 and store.llen("default") == 0, "one has run")
    store.delete("away")
    until(lambda: "lost" in browser.get("/chords"), "it is stuck")
    text = browser.get(f"/chords/{result.parent.id}")
    assert "1 of 2 parts are nowhere." in text
    assert "Did 1 act to repair it." in browser.post(f"/chords/{result.parent.id}", act="recover")
    assert store.llen("away") == 1
    assert re.search(
        r"Revoked \d parts?\.", browser.post(f"/chords/{result.parent.id}", act="revoke")
    )


def test_metrics(browser: Browser, jobs: ModuleType, start: Start) -> None:
    assert "No attempt has ended in this time." in browser.get("/metrics")
    start()
    job = jobs.Die.perform_async("odd")
    jobs.Add.perform_bulk([(n, 1) for n in range(9)])
    until(lambda: api.numbers().processed == 10, "all have ended")
    name = jobs.Die.task_name()
    for path in ("/metrics?minutes=10", "/metrics", "/"):
        text = browser.get(path)
        assert re.search(r"Add 9 [\d.]+ 0 ", text), text
        assert re.search(r"Die 1 [\d.]+ 1 100 % ", text), text
        assert "10 attempts, 1 failed, p50" in browser.page
    assert re.search(r"[1-9] for [\d.]+ms to [\d.]+ms", _page(browser, jobs.Add.task_name()))
    browser.get(f"/metrics/{name}?minutes=480")
    assert "None of its attempts ran to an end." in browser.text
    assert f"/jobs/dead?worker={name}" in browser.page
    assert job.id[:8] in browser.get(f"/dead?worker={name}")
    assert "Figures are of the last 10, 60, 480 minutes." in browser.get("/metrics?minutes=7", 400)


def _page(browser: Browser, worker: str) -> str:
    browser.get(f"/metrics/{worker}")
    return browser.page


def test_the_attempts_of_a_job(browser: Browser, jobs: ModuleType, start: Start) -> None:
    start()
    job = jobs.Fail.perform_async("no answer")
    until(lambda: api.find(job.id).state is State.RETRYING, "it waits")
    browser.get(f"/job/{job.id}")
    browser.post(f"/job/{job.id}", act="retry")
    until(lambda: api.find(job.id).state is State.DEAD, "it died")
    text = browser.get(f"/job/{job.id}").partition("Attempts")[2]
    assert re.match(r".* Error 2 [^ ]+ ago .* dead ValueError: no answer 1 .* retried ", text), text


def test_lists_with_other_lengths(browser: Browser, jobs: ModuleType) -> None:
    for number in range(30):
        jobs.Add.perform_in(3600 + number, number, 0)
    browser.get("/scheduled?rows=10")
    assert len(_numbers(browser.page)) == 10
    following = _next(browser.page)
    assert following is not None
    assert "rows=10" in following
    browser.get(f"/scheduled{following}")
    assert _numbers(browser.page) == list(range(10, 20))
    browser.get("/scheduled?rows=7000")
    assert len(_numbers(browser.page)) == 20


def test_jobs_of_one_tenant(browser: Browser, jobs: ModuleType) -> None:
    for number, organization in enumerate("abab"):
        jobs.Add.perform_in(60 + number, number, 0, organization_id=organization)
    for asked in ("b", "organization_id=b"):
        browser.get(f"/scheduled?tenant={asked}")
        assert _numbers(browser.page) == [1, 3]


def test_a_job_is_another_one_by_now(browser: Browser, jobs: ModuleType) -> None:
    job = jobs.Add.perform_async()
    browser.get(f"/job/{job.id}")
    assert "The job is queued by now." in browser.post(f"/job/{job.id}", act="kill", code=409)
    assert "There is no act" in browser.post(f"/job/{job.id}", act="explode", code=400)
    assert "Deleted 1 job." in browser.post(f"/job/{job.id}", act="delete")


def test_redis_is_away(browser: Browser, jobs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    from redis import ConnectionError as Away

    def fail(*_: Any, **__: Any) -> None:
        raise Away("gone")

    monkeypatch.setattr("flaskiq.store.reading._send", fail)
    assert "Redis is out of reach" in browser.get("/", code=503)


def test_what_is_shown_as_json_is_cut(browser: Browser, jobs: ModuleType) -> None:
    job = jobs.Add.perform_async("y" * 100_000, 1)
    assert "characters more" in browser.get(f"/job/{job.id}")
    assert json.loads(json.dumps(api.find(job.id).as_dict(), default=str))["id"] == job.id


def test_the_numbers(jobs: ModuleType, store: Redis) -> None:
    jobs.Add.perform_bulk([(n, 0) for n in range(3)])
    jobs.Add.s(1, 2).apply_async(priority=9, queue="low")
    jobs.Add.perform_in(60)
    store.hset("flaskiq:counters", mapping={"done": 5, "retried": 2, "dead": 1, "snoozed": 1})
    found = api.numbers()
    assert found._replace(queues={}) == api.Numbers(9, 3, 0, 4, 0, 1, 0, 0, {})
    # Another test may have made the app know a further queue.
    assert {**found.queues, "away": 0} == {"critical": 0, "default": 3, "low": 1, "away": 0}
