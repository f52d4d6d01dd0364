"""Jobs run at once: ``inline``, for tests that look at what comes of a request."""

from __future__ import annotations

from unittest.mock import Mock, call

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flaskiq.testing import Mode, assert_enqueued, inline

from shop import database
from shop.workers.mails import Welcome


def test_a_customer_gets_the_mails(flaskiq_inline: Mode, client: FlaskClient, send: Mock) -> None:
    client.post("/signup", data={"email": "ada@example.org"})
    assert send.mock_calls == [
        call("ada@example.org", "Welcome"),
        call("ada@example.org", "Is there nothing that you like?"),  # nothing waits for its time
    ]


@inline()
def test_a_catalogue_is_imported_and_published(app: Flask, client: FlaskClient) -> None:
    client.post("/imports", data="tea,220\nmilk,110")
    with app.app_context():
        assert len(database.rows("SELECT 1 FROM products WHERE published")) == 2


@inline()
def test_retries_are_made_at_once(client: FlaskClient, send: Mock) -> None:
    send.side_effect = [ConnectionRefusedError, ConnectionRefusedError, None, None]
    client.post("/signup", data={"email": "ada@example.org"})
    assert send.call_count == 4
    assert_enqueued(Welcome, count=1)


@inline()
def test_the_error_of_a_job_that_gives_up_reaches_the_caller(
    client: FlaskClient, send: Mock
) -> None:
    send.side_effect = ConnectionRefusedError("no mail today")
    with pytest.raises(ConnectionRefusedError, match="no mail today"):
        client.post("/signup", data={"email": "ada@example.org"})
