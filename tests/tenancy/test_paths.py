"""On whose behalf a job runs goes wherever the job goes; by each path, through real processes."""

from __future__ import annotations

from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest
from celery import chain, chord, group
from processes import Process, Project
from told import Told
from waiting import until

from flaskiq import TenantError, api, current

ONE_POOL = pytest.mark.parametrize("worker", ["flaskiq"], indirect=True)
"""For what is about the enqueueing side only."""

ACME = {"organization_id": "acme", "user_id": "7", "locale": "en"}


@pytest.fixture(autouse=True)
def _for_acme(tenants: ModuleType) -> Any:
    token = current.act_for(current.state().tenancy.of(ACME))
    yield
    current.cease(token)


def named(kind: str) -> str:
    """A name that no other test uses."""
    return f"{kind}-{uuid4().hex[:8]}"


def test_a_job_and_its_hooks(tenants: ModuleType, worker: Process, told: Told) -> None:
    name = named("job")
    tenants.Tell.perform_async(name)
    assert told(name) == [ACME]
    assert told(f"{name}:success") == [{**ACME, "result": name}]


def test_retries_and_the_hooks_of_failure(tenants: ModuleType, worker: Process, told: Told) -> None:
    name = named("fails")
    tenants.Fails.perform_async(name)
    assert told(f"{name}:exhausted") == [{**ACME, "attempt": 2}]
    assert told(name) == [ACME, ACME]
    assert [each["attempt"] for each in told(f"{name}:failure", 2)] == [1, 2]
    assert all(each.items() >= ACME.items() for each in told(f"{name}:failure"))


def test_what_a_job_enqueues(tenants: ModuleType, worker: Process, told: Told) -> None:
    name = named("spawns")
    tenants.Spawns.perform_async(name)
    for kind in ("worker", "later", "bulk", "task", "inline"):
        assert told(f"{name}:{kind}") == [ACME], kind
    assert told(f"{name}:nobody") == [{}]
    assert told(f"{name}:other") == [{"organization_id": "other"}]
    assert told(f"{name}:german") == [{**ACME, "locale": "de"}]


def test_the_members_of_a_group(tenants: ModuleType, worker: Process, told: Told) -> None:
    name = named("group")
    group(tenants.tell.s(f"{name}:1"), tenants.Tell.s(f"{name}:2")).apply_async()
    assert told(f"{name}:1") == told(f"{name}:2") == [ACME]


def test_the_body_of_a_chord_is_its_makers(
    tenants: ModuleType, worker: Process, told: Told
) -> None:
    name = named("chord")
    others = tenants.tell.s(f"{name}:2").set(headers={"organization_id": "other"})
    chord([tenants.tell.s(f"{name}:1"), others])(tenants.tell_last.s(f"{name}:body"))
    assert told(f"{name}:body") == [ACME]
    assert told(f"{name}:2") == [{"organization_id": "other"}]


def test_a_chain_with_a_group_in_it(tenants: ModuleType, worker: Process, told: Told) -> None:
    name = named("chain")
    first = tenants.tell.s(f"{name}:1").set(headers={"organization_id": "other"})
    both = group(tenants.tell_last.s(f"{name}:2"), tenants.tell_last.s(f"{name}:3"))
    chain(first, both, tenants.tell_last.s(f"{name}:4")).apply_async()
    assert told(f"{name}:4") == told(f"{name}:3") == told(f"{name}:2") == [ACME]
    assert told(f"{name}:1") == [{"organization_id": "other"}]


def test_callbacks(tenants: ModuleType, worker: Process, told: Told) -> None:
    name = named("link")
    followed = tenants.tell.s(f"{name}:1").set(headers={"organization_id": "other"})
    followed.apply_async(link=tenants.tell_last.s(f"{name}:2"))
    assert told(f"{name}:2") == [ACME]
    tenants.fail.apply_async((name,), link_error=tenants.tell_error.s(name=f"{name}:error"))
    assert told(f"{name}:error") == [ACME]


def test_a_signature_can_be_used_for_several_tenants(
    tenants: ModuleType, worker: Process, told: Told
) -> None:
    name = named("reused")
    link = tenants.tell_last.s(f"{name}:2")
    tenants.tell.apply_async((f"{name}:1",), link=link)
    token = current.act_for(current.state().tenancy.of({"organization_id": "other"}))
    tenants.tell.apply_async((f"{name}:1",), link=link)
    current.cease(token)
    found = {each["organization_id"] for each in told(f"{name}:2", 2)}
    assert found == {"acme", "other"}


def test_a_scheduled_job(tenants: ModuleType, worker: Process, told: Told) -> None:
    name = named("scheduled")
    tenants.Tell.perform_in(0.3, f"{name}:worker")
    tenants.tell.apply_async((f"{name}:task",), countdown=0.3)
    assert told(f"{name}:worker") == told(f"{name}:task") == [ACME]


def test_replay_from_the_dead_set(tenants: ModuleType, worker: Process, told: Told) -> None:
    name = named("replayed")
    job = tenants.Fails.set(max_retries=0).perform_async(name)
    until(lambda: api.DeadSet().find(job.id), "it is dead")
    assert api.find(job.id).tenant == ACME
    api.DeadSet().retry(job.id)
    assert told(name, 2) == [ACME, ACME]


def test_a_process_that_dies(tenants: ModuleType, worker: Process, told: Told) -> None:
    if worker.pool == "threads":  # type: ignore[attr-defined]
        pytest.skip("it would take the worker with it")
    name = named("dies")
    tenants.Dies.perform_async(name)
    assert told(f"{name}:exhausted") == [{**ACME, "attempt": 1}]
    assert told(name) == [ACME] * 3


def test_a_hard_limit(tenants: ModuleType, worker: Process, told: Told) -> None:
    if worker.pool == "threads":  # type: ignore[attr-defined]
        pytest.skip("Celery's threads have no limits")
    name = named("overruns")
    tenants.Overruns.perform_async(name)
    assert told(f"{name}:exhausted") == [{**ACME, "attempt": 1}]


def test_function_tasks_of_the_guide(tenants: ModuleType, worker: Process, told: Told) -> None:
    name = named("based")
    done = tenants.tell_based.delay(name, organization_id="by-keyword", user_id=3)
    assert done.get(timeout=20) == ["by-keyword", "3", None]
    told_of = {"organization_id": "by-keyword", "user_id": "3"}
    assert told(name) == [{**told_of, "request": ["by-keyword", "3"]}]
    line = f"based [task_id={done.id}, organization_id=by-keyword, user_id=3, name={name}]\n"
    until(lambda: line in worker.output, line)
    tenants.tell_twice.apply_async((f"{name}:twice",), {"organization_id": "k"}, headers=ACME)
    assert told(f"{name}:twice", 2) == [ACME, ACME], "headers win over keywords, and are retried"


def test_keywords_of_a_foreign_producer(
    tenants: ModuleType, worker: Process, told: Told, tenants_server: Any
) -> None:
    from celery import Celery

    name = named("foreign")
    stranger = Celery(broker=tenants_server.url, set_as_current=False)
    stranger.send_task(
        "tenant_app.tell_twice",
        (name,),
        {"organization_id": "far", "user_id": "1"},
        queue="default",
    )
    assert told(name, 2) == [{"organization_id": "far", "user_id": "1"}] * 2


def test_every_line_of_the_log_names_the_tenant(
    tenants: ModuleType, worker: Process, told: Told
) -> None:
    name = named("logs")
    job = tenants.Tell.perform_async(name)
    told(name)
    suffix = " [organization_id=acme, user_id=7, locale=en]\n"
    until(lambda: f"{job.id}] succeeded" in worker.output, "the line")
    lines = [f"{line}\n" for line in worker.output.splitlines() if name in line or job.id in line]
    of_the_job = [line for line in lines if "received" not in line]
    assert len(of_the_job) == 2
    assert all(line.endswith(suffix) for line in of_the_job), lines


def test_a_foreign_job_without_a_tenant_does_not_run(
    tenants: ModuleType, worker: Process, told: Told, tenants_server: Any
) -> None:
    from celery import Celery

    name = named("needs")
    stranger = Celery(broker=tenants_server.url, set_as_current=False)
    stranger.send_task("tenant_app.Needs", (name,), queue="default", task_id=name)
    entry = until(lambda: api.DeadSet().find(name), "it is dead")
    assert "tenant_required" in entry.failure.message
    assert name not in told.names()


@ONE_POOL
def test_cron_jobs_run_for_the_system(
    tenants: ModuleType, worker: Process, told: Told, tenants_project: Project
) -> None:
    beat = tenants_project.start("flaskiq", "beat")
    assert told("beat") >= [{"organization_id": "system"}]
    beat.end()
    run = tenants_project.start("flaskiq", "cron", "run", "tenant_app.Daily")
    assert run.wait() == 0, run.output
    assert told("daily") == [{"organization_id": "janitor", "user_id": "cron"}]


@ONE_POOL
def test_celerys_scheduler_does_so_too(
    tenants: ModuleType, worker: Process, told: Told, tenants_project: Project
) -> None:
    beat = tenants_project.start(
        "celery", "-A", "tenant_app:celery_app", "beat", FLASKIQ_SCHEDULER="celery"
    )
    assert told("beat")[0] == {"organization_id": "system"}
    beat.end()


@ONE_POOL
@pytest.mark.parametrize("kind", ["worker", "task"])
def test_from_a_route(tenants: ModuleType, worker: Process, told: Told, kind: str) -> None:
    current.cease(current.act_for(current.state().tenancy.none))
    client = tenants.app.test_client()
    with tenants.app.app_context():
        _ask(client, kind, {"X-User": "org/9"})
    assert told("route") == [{"organization_id": "org", "user_id": "9", "locale": "fr"}]


@ONE_POOL
@pytest.mark.parametrize("kind", ["launcher", "launcher-task", "launcher-based"])
def test_the_launcher(tenants: ModuleType, worker: Process, told: Told, kind: str) -> None:
    _ask(tenants.app.test_client(), kind, {})
    (found,) = told("route")
    assert {"organization_id": "launched", "user_id": "5"}.items() <= found.items()


def _ask(client: Any, kind: str, headers: dict[str, str]) -> None:
    token = current.act_for(None)  # as in a process that runs no job
    try:
        assert client.post(f"/launch/{kind}", headers=headers).status_code == 200
    finally:
        current.cease(token)


def test_a_job_that_needs_a_tenant_is_refused_without(tenants: ModuleType) -> None:
    with pytest.raises(TenantError, match="Needs has tenant_required"):
        tenants.Needs.set(tenant=None).perform_async("x")
    with pytest.raises(TenantError, match="Needs has tenant_required"):
        tenants.Needs.s("x").apply_async(headers={"organization_id": None})
    token = current.act_for(current.state().tenancy.none)
    with pytest.raises(TenantError, match="Needs has tenant_required"):
        chain(tenants.tell.s("never"), tenants.Needs.s()).apply_async()
    current.cease(token)
