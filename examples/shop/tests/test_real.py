"""The same by a real worker and a real Valkey: for the few tests that are to prove the whole."""

from __future__ import annotations

from datetime import timedelta
from unittest.mock import Mock

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flaskiq.testing import Mode, State, advance, assert_enqueued, drain

from shop import database
from shop.workers.mails import Confirmation, Nudge
from shop.workers.reports import NightlyReport


def test_a_worker_sends_the_welcome(flaskiq_worker: Mode, client: FlaskClient, send: Mock) -> None:
    client.post("/signup", data={"email": "ada@example.org"})
    drain()  # waits until the worker has run them
    send.assert_called_once_with("ada@example.org", "Welcome")


@pytest.mark.flaskiq("real")
def test_a_report_has_a_result(app: Flask, send: Mock) -> None:
    assert NightlyReport.perform_async().get(timeout=10) == 0


@pytest.mark.flaskiq("real")
def test_a_nudge_comes_after_three_days(client: FlaskClient, send: Mock) -> None:
    client.post("/signup", data={"email": "ada@example.org"})
    advance(timedelta(days=3))
    drain()
    assert_enqueued(Nudge, state=State.DONE)


@pytest.mark.flaskiq("real")
def test_a_confirmation_is_sent_at_the_second_attempt(client: FlaskClient, send: Mock) -> None:
    client.post("/signup", data={"email": "ada@example.org"})
    drain()
    send.side_effect = [ConnectionRefusedError, None]
    client.post("/orders", data={"customer_id": 1, "sku": "tea"})
    drain(Confirmation, scheduled=True)
    send.assert_called_with("ada@example.org", "Order 1 from the shop")


@pytest.mark.flaskiq("real")
def test_a_catalogue_is_published_when_all_products_are_there(
    app: Flask, client: FlaskClient
) -> None:
    client.post("/imports", data="tea,220\nmilk,110")
    drain()
    with app.app_context():
        assert len(database.rows("SELECT 1 FROM products WHERE published")) == 2
