"""The pages as JSON, for programs: the same content, the same acts, the same rules."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest
from flask.testing import FlaskClient
from pages import Browser
from redis import Redis
from waiting import until

from flaskiq import Batch, api
from flaskiq.api import State
from flaskiq.web.dashboard import acted

API = "/jobs/api/v1"


@pytest.fixture
def client(jobs: ModuleType) -> FlaskClient:
    """A program: it says nothing of where it comes from."""
    found: FlaskClient = jobs.app.test_client()
    return found


def get(client: FlaskClient, path: str, code: int = 200) -> Any:
    answer = client.get(API + path)
    assert (answer.status_code, answer.is_json) == (code, True), answer.text
    return answer.get_json()


def post(client: FlaskClient, path: str, code: int = 200, **sent: Any) -> Any:
    answer = client.post(API + path, json=sent)
    assert (answer.status_code, answer.is_json) == (code, True), answer.text
    return answer.get_json()


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/", {"minutes", "workers", "queues", "processes", "leader", "days"}),
        ("/busy", {"processes", "jobs", "running"}),
        ("/queues", {"queues"}),
        ("/queues/low", {"jobs", "total", "looked_at", "after", "filter", "acts", "rows", "queue",
                         "latency", "is_paused"}),
        ("/dead", {"jobs", "total", "looked_at", "after", "filter", "acts", "rows", "set"}),
        ("/cron", {"entries", "leader"}),
        ("/batches", {"batches", "after"}),
        ("/chords", {"chords", "watch", "after"}),
        ("/metrics", {"minutes", "workers", "queues", "window", "windows"}),
        ("/metrics/shop.Add", {"times", "minutes", "histogram", "worker", "window", "windows"}),
    ],
)  # fmt: skip
def test_what_a_page_says(client: FlaskClient, path: str, names: set[str]) -> None:
    assert set(get(client, path)) == names
    assert client.head(API + path).status_code == 200


def test_the_numbers_for_those_who_ask_often(client: FlaskClient, jobs: ModuleType) -> None:
    jobs.Add.perform_async()
    for address in (f"{API}/stats", "/jobs/stats"):
        answer = client.get(address)
        assert answer.get_json() == {**api.numbers()._asdict(), "enqueued": 1}
        assert client.head(address).status_code == 200


def test_a_job_and_its_way(client: FlaskClient, jobs: ModuleType) -> None:
    job = jobs.Add.perform_in(60, 3, right=4)
    found = get(client, f"/job/{job.id}")
    assert found["job"]["state"] == "scheduled"
    assert (found["job"]["args"], found["job"]["kwargs"]) == ([3], {"right": 4})
    assert found["acts"] == [["run", "Run now"], ["kill", "Kill"], ["delete", "Delete"]]
    (listed,) = get(client, "/scheduled")["jobs"]
    assert listed == found["job"]
    assert "Nobody knows a job none." in get(client, "/job/none", 404)["error"]


def test_acting(client: FlaskClient, jobs: ModuleType) -> None:
    first, second = jobs.Add.perform_in(60), jobs.Add.perform_in(60)
    done = post(client, "/scheduled", act="run", id=[first.id])
    assert done == {"act": "run", "what": f"Scheduled, {first.id}", "number": 1, "rest": None}
    assert api.find(first.id).state is State.QUEUED
    assert post(client, f"/job/{second.id}", act="kill")["number"] == 1
    assert len(api.DeadSet()) == 1
    assert post(client, "/queues", act="pause", queue="low")["number"] is None
    assert api.Queue("low").is_paused
    assert (
        "There is no act 'x' here, but pause, unpause."
        in post(client, "/queues", 400, act="x")["error"]
    )
    assert "Send an object" in client.post(f"{API}/queues", json=[1]).get_json()["error"]
    assert client.post(f"{API}/queues", data="{", content_type="application/json").is_json


def test_an_act_on_many_says_how_far_it_has_come(
    client: FlaskClient, jobs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flaskiq.web.dashboard.acts.BUDGET", 0)
    jobs.Add.perform_bulk([(n, 0) for n in range(2_500)])
    jobs.Die.perform_bulk([("x",)] * 3)
    path = "/queues/default?worker=Add"
    done = post(client, path, act="delete", all=True)
    lefts = []
    while done["rest"]:
        lefts.append(done["rest"]["left"])
        assert done["rest"]["of"] == 2_503
        done = post(client, path, act="delete", all=True, done=done["number"], **done["rest"])
    assert (done["number"], lefts) == (2_500, [1_503, 503])
    assert api.Queue("default").size == 3


@pytest.mark.parametrize("act", ["kill", "retry", "delete"])
def test_acts_on_all_of_a_set(
    client: FlaskClient, jobs: ModuleType, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    monkeypatch.setattr("flaskiq.web.dashboard.acts.BUDGET", 0)
    kind = "dead" if act == "retry" else "scheduled"
    for number in range(30):
        job = jobs.Add.perform_in(60 + number, number, 0)
        if act == "retry":
            api.ScheduledSet().kill(job.id)
    monkeypatch.setattr("flaskiq.web.dashboard.acts.AT_ONCE", 10)
    done = post(client, f"/{kind}", act=act, all="1")
    rounds = 1
    while done["rest"]:
        rounds += 1
        done = post(client, f"/{kind}", act=act, all="1", done=done["number"], **done["rest"])
    assert (done["number"], rounds) == (30, 3)
    left = {"kill": (0, 30, 0), "retry": (0, 0, 30), "delete": (0, 0, 0)}[act]
    assert (len(api.ScheduledSet()), len(api.DeadSet()), api.Queue("default").size) == left


def test_a_program_needs_no_token_but_json(client: FlaskClient, jobs: ModuleType) -> None:
    fields = {"act": "pause", "queue": "low"}
    assert client.post(f"{API}/queues", data=fields).status_code == 403
    for site in ("cross-site", "same-site", "none"):
        answer = client.post(f"{API}/queues", json=fields, headers={"Sec-Fetch-Site": site})
        assert (answer.status_code, answer.is_json) == (403, True)
    answer = client.post(f"{API}/queues", json=fields, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    assert not api.Queue("low").is_paused
    text = json.dumps(fields)
    answer = client.post(f"{API}/queues", data=text, content_type="text/plain")
    assert answer.status_code == 403


def test_who_listens_is_told_of_every_act(client: FlaskClient, jobs: ModuleType) -> None:
    told = []

    def listen(app: Any, **what: Any) -> None:
        told.append((app, what))

    with acted.connected_to(listen):
        post(client, "/queues", act="pause", queue="low")
        get(client, "/queues")
    assert told == [(jobs.app, {"act": "pause", "what": "queue low", "number": None})]


def test_redis_that_is_slow_or_away(
    browser: Browser, client: FlaskClient, jobs: ModuleType, own_server: Any
) -> None:
    """In an incident a page says what is wrong, and makes nobody wait for half a minute."""
    get(client, "/stats")
    own_server.freeze()
    try:
        assert "Redis is out of reach" in browser.get("/", code=503)
        assert "Redis is out of reach" in get(client, "/dead", 503)["error"]
    finally:
        own_server.thaw()
    until(lambda: client.get("/jobs/stats").status_code == 200, "it answers again")


def test_a_batch(client: FlaskClient, jobs: ModuleType, store: Redis) -> None:
    with Batch("import") as batch:
        jobs.Add.perform_async()
    found = get(client, f"/batches/{batch.id}")
    assert (found["batch"]["state"], found["dead_jobs"]) == ("running", [])
    assert post(client, f"/batches/{batch.id}", act="cancel")["number"] == 1
