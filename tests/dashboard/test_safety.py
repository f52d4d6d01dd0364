"""Who may see the dashboard, who may act, and that no other site can."""

from __future__ import annotations

import logging
import re
import socket
from types import ModuleType
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from pages import OURS, Browser
from servers import Server

from flaskiq import Flaskiq, SettingError, api

Fields = dict[str, Any]


def client_of(server: Server, **config: Any) -> FlaskClient:
    app = Flask("other")
    config = {"SECRET_KEY": "not very", "FLASKIQ_WORKERS": [], **config}
    app.config.update(CELERY_BROKER_URL=server.url, **config)
    Flaskiq(app, dashboard="/admin/jobs")
    return app.test_client()


def test_without_a_rule_nobody_may_but_in_development(own_server: Server) -> None:
    refused = client_of(own_server).get("/admin/jobs/")
    assert refused.status_code == 403
    assert "FLASKIQ_DASHBOARD_ACCESS=shop.users:may" in refused.text
    assert "redis://" not in refused.text.replace(own_server.url, "")
    opened = client_of(own_server, FLASKIQ_ENV="development").get("/admin/jobs/")
    assert opened.status_code == 200
    assert client_of(own_server, DEBUG=True).get("/admin/jobs/").status_code == 200


@pytest.mark.parametrize(
    ("answer", "sees", "acts"),
    [
        ("none", 403, 403), (None, 403, 403), ("read", 200, 403), ("operate", 200, 303),
        ({"pause"}, 200, 303), ({"retry"}, 200, 403), ([], 200, 403),
    ],
)  # fmt: skip
def test_what_a_rule_lets_do(own_server: Server, answer: Any, sees: int, acts: int) -> None:
    client = client_of(own_server, FLASKIQ_DASHBOARD_ACCESS=lambda: answer)
    page = client.get("/admin/jobs/queues")
    assert page.status_code == sees
    assert ("Pause</button>" in page.text) == (acts == 303)
    fields: Fields = {"act": "pause", "queue": "low", "flaskiq_token": _token(client)}
    assert client.post("/admin/jobs/queues", data=fields, headers=OURS).status_code == acts


def _token(client: FlaskClient) -> str:
    with client.session_transaction() as session:
        session["flaskiq_token"] = "known"
    return "known"


def test_a_tenant_is_told_nothing(own_server: Server, jobs: ModuleType) -> None:
    job = jobs.Add.set(tenant={"organization_id": "acme"}).perform_async()

    def may() -> str:
        return "none" if request.headers["X-User"].startswith("other/") else "operate"

    client = client_of(own_server, FLASKIQ_DASHBOARD_ACCESS=may)
    theirs, ours = {"X-User": "other/1", **OURS}, {"X-User": "admin/1", **OURS}
    fields: Fields = {"act": "delete", "flaskiq_token": _token(client)}
    for path in ("", "/api/v1"):
        address = f"/admin/jobs{path}/job/{job.id}"
        for answer in (
            client.get(address, headers=theirs),
            client.post(address, data=fields, headers=theirs),
            client.post(address, json=fields, headers=theirs),
        ):
            assert answer.status_code == 403
            assert answer.is_json == bool(path)
            assert "You may not see the jobs." in answer.text
            assert "acme" not in answer.text
        assert client.get(address, headers=ours).status_code == 200
    assert api.find(job.id).state == "queued"


def test_a_rule_that_answers_nonsense(own_server: Server) -> None:
    client = client_of(own_server, FLASKIQ_DASHBOARD_ACCESS=lambda: "all", TESTING=True)
    with pytest.raises(SettingError, match="the rule has returned 'all'"):
        client.get("/admin/jobs/")


def test_a_rule_that_is_not_there(own_server: Server) -> None:
    with pytest.raises(SettingError, match="FLASKIQ_DASHBOARD_ACCESS = 'shop:may' cannot be"):
        client_of(own_server, FLASKIQ_DASHBOARD_ACCESS="shop:may")


@pytest.mark.parametrize(
    ("headers", "with_token", "code"),
    [
        (OURS, True, 303),
        (OURS, False, 403),
        ({"Sec-Fetch-Site": "cross-site"}, True, 403),
        ({"Sec-Fetch-Site": "same-site"}, True, 403),
        ({"Sec-Fetch-Site": "none"}, True, 403),
        ({"Origin": "http://localhost"}, True, 303),
        ({"Origin": "http://evil.example"}, True, 403),
        ({"Origin": "null"}, True, 403),
        ({}, True, 303),
        ({}, False, 403),
    ],
)
def test_requests_of_other_sites(
    own_server: Server, headers: dict[str, str], with_token: bool, code: int
) -> None:
    client = client_of(own_server, DEBUG=True)
    fields: Fields = {"act": "pause", "queue": "low"}
    known = _token(client)
    if with_token:
        fields["flaskiq_token"] = known
    answer = client.post("/admin/jobs/queues", data=fields, headers=headers)
    assert answer.status_code == code


@pytest.mark.parametrize(
    ("headers", "code"), [(OURS, 303), ({}, 403), ({"Sec-Fetch-Site": "cross-site"}, 403)]
)
def test_without_a_secret_key_the_browser_is_asked(
    own_server: Server, headers: dict[str, str], code: int
) -> None:
    client = client_of(own_server, DEBUG=True, SECRET_KEY=None)
    fields = {"act": "pause", "queue": "low"}
    answer = client.post("/admin/jobs/queues", data=fields, headers=headers)
    assert answer.status_code == code
    assert "Without a SECRET_KEY" in client.get("/admin/jobs/queues").text


def test_a_read_changes_nothing(browser: Browser) -> None:
    answer = browser.client.get("/jobs/queues?act=pause&queue=low")
    assert answer.status_code == 200
    assert not api.Queue("low").is_paused


def test_headers_of_a_page(browser: Browser) -> None:
    answer = browser.client.get("/jobs/")
    policy = answer.headers["Content-Security-Policy"]
    (nonce,) = re.findall(r"script-src 'nonce-([\w-]+)'", policy)
    assert f'nonce="{nonce}"' in answer.text
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert (answer.headers["X-Frame-Options"], answer.headers["Cache-Control"]) == (
        "DENY",
        "no-store",
    )
    assert browser.client.get("/jobs/").headers["Content-Security-Policy"] != policy
    assert not re.search(r"<script(?![^>]*nonce)|\son\w+=|style=", answer.text)


def test_assets_are_kept_for_a_year_under_the_name_of_their_content(browser: Browser) -> None:
    browser.get("/")
    found = re.findall(r'(?:href|src)="(/jobs/assets/[^"]+)"', browser.page)
    assert len(found) == 2
    for address in found:
        answer = browser.client.get(address)
        assert (answer.status_code, "immutable" in answer.headers["Cache-Control"]) == (200, True)
    assert browser.client.get("/jobs/assets/0/dashboard.css").headers["Cache-Control"] == "no-store"
    assert browser.client.get("/jobs/assets/0/secrets.py").status_code == 404


def test_every_act_is_written_down(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    browser.get("/queues")
    with caplog.at_level(logging.INFO, logger="flaskiq.audit"):
        browser.post("/queues", act="pause", queue="low")
    (record,) = [each for each in caplog.records if each.name == "flaskiq.audit"]
    assert record.getMessage() == "pause queue low, from 127.0.0.1"


def test_flower_and_events(own_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flaskiq.web.dashboard.flower.KEPT", 0)
    with socket.create_server(("127.0.0.1", 0)) as flower:
        url = f"http://127.0.0.1:{flower.getsockname()[1]}"
        client = client_of(own_server, FLOWER_URL=url, DEBUG=True)
        assert f'href="{url}"' in client.get("/admin/jobs/").text
    page = client.get("/admin/jobs/").text
    assert url not in page, "it has ended"
    assert "Celery events are off" not in page, "in development they are on"
    client = client_of(own_server, DEBUG=True, CELERY_WORKER_SEND_TASK_EVENTS=False)
    assert "Celery events are off" in client.get("/admin/jobs/").text
    client = client_of(own_server, FLOWER_URL="javascript:alert(1)", DEBUG=True)
    assert "javascript:" not in client.get("/admin/jobs/").text


def test_other_pages_of_the_app_are_left_alone(browser: Browser, jobs: Any) -> None:
    answer = browser.client.get("/elsewhere")
    assert answer.status_code == 404
    assert "Content-Security-Policy" not in answer.headers


@pytest.mark.parametrize("prefix", ["jobs", "/a b", "", "/"])
def test_a_place_that_is_none(own_server: Server, prefix: str) -> None:
    app = Flask("odd")
    app.config.update(FLASKIQ_WORKERS=[], FLASKIQ_DASHBOARD=prefix)
    if prefix == "":
        Flaskiq(app)  # not set
        assert app.test_client().get("/jobs/").status_code == 404
        return
    with pytest.raises(SettingError, match="FLASKIQ_DASHBOARD"):
        Flaskiq(app)
