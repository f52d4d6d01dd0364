"""What the tests need besides the test kit; nothing here knows of jobs."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest
import the_shop
from flask import Flask
from flask.testing import FlaskClient

from shop import mail


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """The shop, its database empty."""
    return the_shop.with_empty_database(tmp_path)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser."""
    return app.test_client()


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """In place of ``mail.send``; a ``side_effect`` of it is an outage of the mail server."""
    send = Mock()
    monkeypatch.setattr(mail, "send", send)
    return send
