"""A tenant as a value, and where it comes from."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from flask import Flask, g

from flaskiq import ArgumentError, Tenant
from flaskiq.tenant import Tenancy

FIELDS = ("organization_id", "user_id", "locale")
TENANCY = Tenancy(FIELDS)
ID = UUID("11111111-1111-4111-8111-111111111111")


def test_a_tenant_is_its_fields() -> None:
    tenant = TENANCY.of({"organization_id": ID, "user_id": 7, "locale": ""})
    assert dict(tenant) == {"organization_id": str(ID), "user_id": "7"}
    assert (tenant.user_id, tenant.locale) == ("7", None)
    assert tenant == {"organization_id": str(ID), "user_id": "7"}
    assert str(tenant) == f"organization_id={ID}, user_id=7"
    assert tenant
    assert not TENANCY.none
    with pytest.raises(AttributeError, match="did you mean 'user_id'"):
        tenant.userid  # noqa: B018


def test_a_tenant_can_be_copied() -> None:
    tenant = TENANCY.of({"user_id": 7})
    copies: list[Tenant] = [copy.deepcopy(tenant), pickle.loads(pickle.dumps(tenant))]
    assert copies == [tenant, tenant]
    assert copies[1].organization_id is None


@pytest.mark.parametrize("value", [1.5, True, object(), ["x"], b"x", SimpleNamespace(id=1)])
def test_a_value_that_is_no_id(value: Any) -> None:
    with pytest.raises(ArgumentError, match="tenant: user_id must be an id"):
        TENANCY.of({"user_id": value})


def test_who_names_an_organization_names_it_whole() -> None:
    tenant = TENANCY.of({"organization_id": "acme", "user_id": "7", "locale": "en"})
    assert TENANCY.over(tenant, {"user_id": 8}) == {**tenant, "user_id": "8"}
    assert TENANCY.over(tenant, {"organization_id": "ajax"}) == {"organization_id": "ajax"}
    assert TENANCY.over(tenant, {"organization_id": None}) == {}


def test_headers_say_nobody_explicitly() -> None:
    assert TENANCY.headers(TENANCY.none) == {"organization_id": None}
    assert TENANCY.is_named({"organization_id": None})
    assert not TENANCY.is_named({"other": 1})
    assert TENANCY.of_headers({"organization_id": None, "other": 1}) == {}
    assert TENANCY.of_headers(None) == {}


def test_flask_comes_before_the_user() -> None:
    user = SimpleNamespace(id=7, organization_id="acme", locale=None)
    app, tenancy = Flask("tenant"), Tenancy(FIELDS, provider=lambda: user)
    assert tenancy.of_flask() == {}
    with app.app_context():
        assert tenancy.of_flask() == {}, "there is no request"
        g.locale = "de"
        assert tenancy.of_flask() == {"locale": "de"}
    with app.test_request_context():
        assert tenancy.of_flask() == {"organization_id": "acme", "user_id": "7"}
        g.organization_id = "ajax"
        assert tenancy.of_flask() == {"organization_id": "ajax", "user_id": "7"}
        assert tenancy.of_flask(asks_user=False) == {"organization_id": "ajax"}
    assert tenancy.of_user(user) == {"organization_id": "acme", "user_id": "7"}
    assert tenancy.of_user(None) == {}
