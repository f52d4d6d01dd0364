"""What the jobs do: ``fake``, and they run when the test says so."""

from __future__ import annotations

from unittest.mock import Mock, call

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flaskiq.testing import State, assert_enqueued, drain, perform_one, refute_enqueued

from shop import database
from shop.tasks import pack
from shop.workers.imports import ImportCatalogue, ImportProduct, PublishCatalogue
from shop.workers.mails import Confirmation, Nudge, Welcome

Form = dict[str, object]

pytestmark = pytest.mark.flaskiq("fake")  # each test of this module


@pytest.fixture
def order(client: FlaskClient) -> Form:
    """The first order of a customer, whose welcome is not looked at here."""
    client.post("/signup", data={"email": "ada@example.org"})
    return {"customer_id": 1, "sku": "tea"}


def test_a_welcome_is_mailed(client: FlaskClient, send: Mock) -> None:
    client.post("/signup", data={"email": "ada@example.org"})
    assert drain() == 1
    send.assert_called_once_with("ada@example.org", "Welcome")


def test_what_waits_for_a_time_can_be_drained_too(client: FlaskClient, send: Mock) -> None:
    client.post("/signup", data={"email": "ada@example.org"})
    drain(scheduled=True)
    assert send.mock_calls == [
        call("ada@example.org", "Welcome"),
        call("ada@example.org", "Is there nothing that you like?"),
    ]


def test_the_jobs_of_a_queue_run_alone(client: FlaskClient, order: Form, send: Mock) -> None:
    client.post("/orders", data=order)
    assert drain(queue="critical") == 1
    assert_enqueued(Welcome, state=State.DONE)
    assert_enqueued(Confirmation, state=State.QUEUED)


def test_a_plain_task_runs_as_well(client: FlaskClient, order: Form) -> None:
    client.post("/orders", data=order)
    assert drain(pack) == 1


def test_a_confirmation_names_the_seller(client: FlaskClient, order: Form, send: Mock) -> None:
    client.post("/orders", data=order, headers={"X-Organization": "north"})
    drain(Confirmation)
    send.assert_called_once_with("ada@example.org", "Order 1 from north")


def test_the_error_of_a_job_is_raised(client: FlaskClient, order: Form, send: Mock) -> None:
    send.side_effect = ConnectionRefusedError
    client.post("/orders", data=order)
    with pytest.raises(ConnectionRefusedError):
        perform_one(Confirmation)
    assert_enqueued(Confirmation, state=State.RETRYING)


def test_a_confirmation_is_sent_at_the_third_attempt(
    client: FlaskClient, order: Form, send: Mock
) -> None:
    send.side_effect = [ConnectionRefusedError, ConnectionRefusedError, None]
    client.post("/orders", data=order)
    assert drain(Confirmation, scheduled=True) == 3
    assert_enqueued(Confirmation, state=State.DONE)


def test_a_confirmation_is_given_up_after_six_attempts(
    client: FlaskClient, order: Form, send: Mock
) -> None:
    send.side_effect = ConnectionRefusedError
    client.post("/orders", data=order)
    assert drain(Confirmation, scheduled=True, raises=False) == 6
    assert_enqueued(Confirmation, state=State.DEAD)


def test_a_deleted_order_is_not_confirmed(
    app: Flask, client: FlaskClient, order: Form, send: Mock
) -> None:
    client.post("/orders", data=order)
    with app.app_context():
        database.write("DELETE FROM orders")
    drain(Confirmation)
    assert_enqueued(Confirmation, state=State.DISCARDED)
    send.assert_not_called()


def test_a_catalogue_is_published_when_all_products_are_there(
    app: Flask, client: FlaskClient
) -> None:
    client.post("/imports", data="tea,220\nmilk,110")
    drain(ImportCatalogue)
    assert_enqueued(ImportProduct, args=["tea", 220])
    assert_enqueued(ImportProduct, args=["milk", 110])
    perform_one(ImportProduct)
    refute_enqueued(PublishCatalogue)
    perform_one(ImportProduct)
    assert_enqueued(PublishCatalogue, count=1)
    drain()
    with app.app_context():
        products = database.rows("SELECT sku, price FROM products WHERE published")
    assert list(map(tuple, products)) == [("tea", 200), ("milk", 100)]


def test_a_customer_who_has_ordered_is_not_nudged(
    client: FlaskClient, order: Form, send: Mock
) -> None:
    client.post("/orders", data=order)
    drain(Nudge, scheduled=True)
    send.assert_not_called()
