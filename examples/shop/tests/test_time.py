"""What time does: ``advance`` lets it pass, and nobody waits."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from unittest.mock import Mock

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flaskiq.testing import State, advance, assert_cron, assert_enqueued, drain

from shop.workers.mails import Confirmation, Nudge
from shop.workers.reports import NightlyReport

pytestmark = pytest.mark.flaskiq("fake")


def test_a_nudge_comes_after_three_days(client: FlaskClient, send: Mock) -> None:
    client.post("/signup", data={"email": "ada@example.org"})
    advance(timedelta(days=2, hours=23))
    assert drain(Nudge) == 0
    advance(timedelta(hours=1))
    assert drain(Nudge) == 1
    send.assert_called_once_with("ada@example.org", "Is there nothing that you like?")


def test_a_nudge_that_no_worker_had_time_for_expires(client: FlaskClient, send: Mock) -> None:
    client.post("/signup", data={"email": "ada@example.org"})
    advance(timedelta(days=4))
    drain(Nudge)
    assert_enqueued(Nudge, state=State.CANCELLED)
    send.assert_not_called()


def test_a_confirmation_is_tried_again_within_half_a_minute(
    client: FlaskClient, send: Mock
) -> None:
    client.post("/signup", data={"email": "ada@example.org"})
    client.post("/orders", data={"customer_id": 1, "sku": "tea"})
    send.side_effect = ConnectionRefusedError
    drain(Confirmation, raises=False)
    send.side_effect = None
    advance(timedelta(seconds=30))
    assert drain(Confirmation) == 1


def test_the_report_is_due_at_two() -> None:
    assert_cron(NightlyReport, at=datetime(2030, 1, 15, 2, tzinfo=timezone.utc))


def test_a_week_has_seven_reports(app: Flask, send: Mock) -> None:
    advance(timedelta(weeks=1))
    assert_enqueued(NightlyReport, queue="low", count=7)
    drain()
    send.assert_called_with("boss@example.org", "0 orders")
