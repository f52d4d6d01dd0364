"""Who may read what helps to find a fault."""

from __future__ import annotations

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from flaskiq.health.access import Access


def request(address: str, host: str = "localhost:8080", query: str = "", **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    builder = EnvironBuilder(
        path="/debug",
        query_string=query,
        headers={**named, "Host": host},
        environ_overrides={"REMOTE_ADDR": address},
    )
    return Request(builder.get_environ())


HERE = ("127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1")


@pytest.mark.parametrize("address", HERE)
@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "localhost"])
def test_this_machine_needs_no_token(address: str, host: str) -> None:
    assert Access().is_allowed(request(address, host))
    assert Access("token").is_allowed(request(address, host))


@pytest.mark.parametrize("address", ["10.0.0.7", "192.0.2.2", "fd00::2", "::ffff:10.0.0.7", ""])
def test_others_need_the_token(address: str) -> None:
    access = Access("token")
    assert not access.is_allowed(request(address))
    assert not access.is_allowed(request(address, query="token=tokens"))
    assert not access.is_allowed(request(address, Authorization="Basic token"))
    assert access.is_allowed(request(address, query="token=token"))
    assert access.is_allowed(request(address, Authorization="Bearer token"))
    assert access.is_allowed(request(address, Authorization="bearer token"))


@pytest.mark.parametrize("query", ["", "token=", "token=None"])
@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_nobody_else_may(token: str | None, query: str) -> None:
    asked = request("10.0.0.7", query=query, Authorization="Bearer ")
    assert not Access(token).is_allowed(asked)


@pytest.mark.parametrize("name", ["X_Forwarded_For", "Forwarded", "Via", "X_Real_Ip"])
def test_what_a_proxy_passes_on_comes_from_elsewhere(name: str) -> None:
    assert not Access("token").is_allowed(request("127.0.0.1", **{name: "10.0.0.7"}))


@pytest.mark.parametrize("host", ["evil.example", "worker.shop:8080", "10.0.0.7:8080", ""])
def test_a_browser_that_was_led_here_is_refused(host: str) -> None:
    """By a name whose address has changed to 127.0.0.1 meanwhile."""
    assert not Access("token").is_allowed(request("127.0.0.1", host))


def test_a_token_may_hold_any_letters() -> None:
    assert Access("geheim-ü").is_allowed(request("10.0.0.7", query="token=geheim-%C3%BC"))
