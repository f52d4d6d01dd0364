"""Without a message there are no headers: eager and inline calls run for whoever makes them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from told import Told

from flaskiq import ArgumentError, TenantError, current

ACME = {"organization_id": "acme", "user_id": "7"}


@pytest.fixture(autouse=True)
def _for_acme(tenants: ModuleType) -> Any:
    token = current.act_for(current.state().tenancy.of(ACME))
    yield
    current.cease(token)


@pytest.fixture
def eager(tenants: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The application, all of whose jobs run where they are enqueued."""
    monkeypatch.setitem(tenants.celery_app.conf.changes, "task_always_eager", True)
    return tenants


def test_eager_jobs(eager: ModuleType, told: Told) -> None:
    eager.Tell.perform_async("eager")
    assert told("eager") == [ACME]
    eager.Spawns.perform_async("spawns")
    assert told("spawns:worker") == told("spawns:later") == told("spawns:task") == [ACME]
    assert told("spawns:nobody") == [{}]
    assert told("spawns:other") == [{"organization_id": "other"}]


def test_eager_canvas(eager: ModuleType, told: Told) -> None:
    (eager.tell.s("first") | eager.tell_last.s("second")).delay()
    assert told("first") == told("second") == [ACME]


def test_eager_tasks_of_the_guide(eager: ModuleType, told: Told) -> None:
    assert eager.tell_based.delay("based").get() == ["acme", "7", None]
    done = eager.tell_based.delay("based", organization_id="by-keyword")
    assert done.get() == ["by-keyword", None, None]
    assert [each["request"] for each in told("based", 2)] == [["acme", "7"], ["by-keyword", None]]


def test_applied_tasks_take_the_tenant_from_keywords(tenants: ModuleType, told: Told) -> None:
    done = tenants.tell_based.apply(("applied",), {"user_id": 3})
    assert done.get() == [None, "3", None]


def test_inline(tenants: ModuleType, told: Told) -> None:
    tenants.Tell.perform_inline("inline")
    tenants.Tell.perform_inline("inline", organization_id="by-keyword")
    assert told("inline", 2) == [ACME, {"organization_id": "by-keyword"}]
    with pytest.raises(TenantError):
        tenants.Needs.set(tenant=None).perform_inline("x")


@pytest.mark.parametrize(
    ("tenant", "message"),
    [
        ({"organisation_id": "x"}, "did you mean 'organization_id'"),
        ({"organization_id": object()}, "must be an id"),
        ({"organization_id": True}, "not True"),
        ("acme", "tenant must be a dict"),
    ],
)
def test_what_is_no_tenant(tenants: ModuleType, tenant: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        tenants.Tell.set(tenant=tenant).perform_async("never")
