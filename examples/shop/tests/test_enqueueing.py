"""Which jobs a request enqueues: ``fake``, in each of the ways to ask for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from flaskiq.testing import Mode, assert_enqueued, clear, enqueued, fake, refute_enqueued

from shop.tasks import pack
from shop.workers.imports import ImportCatalogue
from shop.workers.mails import Confirmation, Nudge, Welcome


def test_a_signup_enqueues_a_welcome(flaskiq_fake: Mode, client: FlaskClient) -> None:
    client.post("/signup", data={"email": "ada@example.org"})
    assert_enqueued(Welcome, args=[1], queue="critical", count=1)


@pytest.mark.flaskiq("fake")
def test_a_signup_enqueues_a_nudge_for_later(client: FlaskClient) -> None:
    client.post("/signup", data={"email": "ada@example.org"})
    assert_enqueued(Nudge, args=[1], at=timedelta(days=3))


@fake()
def test_an_order_enqueues_a_worker_and_a_plain_task(client: FlaskClient) -> None:
    client.post("/orders", data={"customer_id": 1, "sku": "tea"})
    assert_enqueued(Confirmation, args=[1])
    assert_enqueued(pack, args=[1])


def test_each_block_has_jobs_of_its_own(client: FlaskClient) -> None:
    with fake():
        client.post("/signup", data={"email": "ada@example.org"})
        assert_enqueued(Welcome)
    with fake():
        client.post("/orders", data={"customer_id": 1, "sku": "tea"})
        refute_enqueued(Welcome)


@fake()
def test_what_came_before_can_be_forgotten(client: FlaskClient) -> None:
    client.post("/signup", data={"email": "ada@example.org"})
    clear()
    client.post("/orders", data={"customer_id": 1, "sku": "tea"})
    assert {job.worker for job in enqueued()} == {Confirmation.task_name(), pack.name}


@fake()
def test_a_job_is_for_the_tenant_of_the_request(client: FlaskClient) -> None:
    order = {"customer_id": 1, "sku": "tea"}
    client.post("/orders", data=order, headers={"X-Organization": "north"})
    assert_enqueued(Confirmation, tenant={"organization_id": "north"})
    refute_enqueued(Confirmation, tenant=None)


@fake()
def test_an_import_is_one_job(client: FlaskClient) -> None:
    answer = client.post("/imports", data="tea,220\nmilk,110")
    (job,) = assert_enqueued(ImportCatalogue, args=[["tea,220", "milk,110"]])
    assert answer.json == {"job_id": job.id}


@fake()
def test_a_failed_assertion_says_what_was_enqueued_instead(client: FlaskClient) -> None:
    client.post("/signup", data={"email": "ada@example.org"})
    with pytest.raises(AssertionError) as failure:
        assert_enqueued(Welcome, args=[1], queue="low")
    assert "- queue 'low'\n    + queue 'critical'" in str(failure.value)
