"""The web side of the reference application over HTTP, while no worker runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from processes import Project


@pytest.fixture(autouse=True)
def _empty(store: redis.Redis, reference: Project) -> None:
    for path in uploads(reference):
        path.unlink()


def uploads(reference: Project) -> list[Path]:
    return list(reference.folder.glob("instance/uploads/*"))


def test_is_healthy(backend: Any) -> None:
    answer = backend.get("/api/")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_job_waits_in_its_queue(backend: Any, store: redis.Redis, reference: Project) -> None:
    job_id = backend.upload("a.csv", b"a\n1\n").json()["job_id"]
    assert backend.job(job_id) == {
        "id": job_id,
        "state": "queued",
        "progress": None,
        "result": None,
        "error": None,
    }
    assert store.llen("default") == 1
    assert [path.read_bytes() for path in uploads(reference)] == [b"a\n1\n"]


def test_an_id_is_known_no_longer_than_its_result(backend: Any, store: redis.Redis) -> None:
    job_id = backend.upload("a.csv", b"a\n1\n").json()["job_id"]
    [key] = store.keys(f"*{job_id}")
    assert 86_000 < store.ttl(key) <= 86_400


def test_states_have_the_words_of_the_documentation(
    backend: Any, reference: Project, store: redis.Redis
) -> None:
    job_id = backend.upload("a.csv", b"a\n1\n").json()["job_id"]
    reference.python(f"from server import api, app\nwith app.app_context(): api.cancel({job_id!r})")
    assert backend.job(job_id)["state"] == "cancelled"

    job_id = backend.upload("a.csv", b"a\n1\n").json()["job_id"]
    store.delete("default")
    assert backend.job(job_id)["state"] == "unknown"
    reference.python(
        "from celery_app import celery_app\n"
        f"celery_app.backend.store_result({job_id!r}, LookupError('gone'), 'FAILURE')"
    )
    job = backend.job(job_id)
    assert job["state"] == "dead"
    assert job["error"] == {"type": "LookupError", "message": "gone"}


def test_an_id_that_was_never_handed_out_is_not_found(backend: Any) -> None:
    answer = backend.get("/api/jobs/11111111-2222-3333-4444-555555555555")
    assert answer.status_code == 404
    assert "11111111-2222-3333-4444-555555555555" in answer.json()["error"]


@pytest.mark.parametrize(
    ("name", "content", "fix"),
    [
        ("", b"", "multipart field 'file'"),
        ("data.xlsx", b"PK", "export the data as CSV"),
        ("data.csv", b"", "with a header and rows"),
    ],
)
def test_refuses_what_is_no_csv(
    name: str, content: bytes, fix: str, backend: Any, store: redis.Redis, reference: Project
) -> None:
    answer = backend.upload(name, content)
    assert answer.status_code == 400
    assert fix in answer.json()["error"]
    assert uploads(reference) == []
    assert store.llen("default") == 0


def test_refuses_a_request_without_a_form(backend: Any) -> None:
    answer = requests.post(f"{backend.url}/api/imports", timeout=20)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_refuses_what_is_too_large(backend: Any, reference: Project) -> None:
    answer = backend.upload("large.csv", b"a\n" + b"1\n" * (16 * 1024 * 1024))
    assert answer.status_code == 413
    assert answer.json() == {"error": "the file is larger than 32 MiB; split it"}
    assert uploads(reference) == []


def test_an_unknown_address_answers_json_below_api_only(backend: Any) -> None:
    assert backend.get("/api/nothing").json().keys() == {"error"}
    page = backend.get("/nothing")
    assert (page.status_code, page.headers["Content-Type"][:9]) == (404, "text/html")


def test_says_that_the_broker_is_down(backend_without_broker: Any, reference: Project) -> None:
    backend = backend_without_broker
    for answer in (backend.upload("a.csv", b"a\n1\n"), backend.get("/api/jobs/x")):
        assert answer.status_code == 503
        assert "cannot be reached" in answer.json()["error"]
    assert uploads(reference) == []
    assert backend.get("/api/").status_code == 200
    assert backend.get("/").status_code == 200
