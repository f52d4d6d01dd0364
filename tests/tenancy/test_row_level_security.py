"""Each job sees the rows of its tenant, in a real PostgreSQL with row-level security."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from addresses import import_app
from postgres import Postgres
from processes import Process, Project
from servers import Server
from sqlalchemy import Engine, create_engine, text
from told import Told

from flaskiq import current
from flaskiq.errors import SettingError

LIB = Path(__file__).parent / "lib"
ROWS = {"alpha": 7, "beta": 11}
# No "missing_ok", as the policies that gave the guide's error: the parameter must be there.
SCHEMA = """
DROP TABLE IF EXISTS notes;
DROP ROLE IF EXISTS shop;
CREATE ROLE shop LOGIN;
CREATE TABLE notes (id serial PRIMARY KEY, organization_id text NOT NULL);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON notes USING (organization_id = current_setting('app.current_organization'));
GRANT ALL ON notes, notes_id_seq TO shop;
"""


@pytest.fixture(scope="session")
def owner(postgres: Postgres) -> Iterator[Engine]:
    """The table, and somebody who sees all of it."""
    engine = create_engine(postgres.url(), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in SCHEMA.strip().split(";\n"):
            connection.execute(text(statement))
    yield engine
    engine.dispose()


@pytest.fixture(autouse=True)
def _rows(owner: Engine) -> None:
    with owner.connect() as connection:
        connection.execute(text("TRUNCATE notes"))
        insert = text("INSERT INTO notes (organization_id) VALUES (:organization)")
        for organization, number in ROWS.items():
            connection.execute(insert, [{"organization": organization}] * number)


def rows(owner: Engine) -> dict[str, int]:
    """How many rows each tenant has."""
    with owner.connect() as connection:
        statement = text("SELECT organization_id, count(*) FROM notes GROUP BY 1")
        return {row.organization_id: row.count for row in connection.execute(statement)}


@pytest.fixture(scope="session")
def _shop(owner: Engine, postgres: Postgres, tenants_server: Server) -> Iterator[ModuleType]:
    rls_app = import_app("rls_app", tenants_server.url, DATABASE_URL=postgres.url("shop"))
    yield rls_app
    rls_app.engine.dispose()


@pytest.fixture
def shop(_shop: ModuleType) -> Iterator[ModuleType]:
    """The application ``lib/rls_app.py``, its app context pushed."""
    with _shop.app.app_context():
        yield _shop


@pytest.fixture(scope="module", params=["flaskiq", "prefork", "threads"])
def worker(
    request: pytest.FixtureRequest, tenants_project: Project, postgres: Postgres, owner: Engine
) -> Iterator[Process]:
    """A worker with each pool; the app has connected before it forks."""
    process = tenants_project.start(
        *("flaskiq", "worker", "start", "--name=rls", f"--pool={request.param}", "-c", "3"),
        *("--without-mingle", "--without-gossip"),
        FLASKIQ_APP="rls_app:celery_app",
        DATABASE_URL=postgres.url("shop"),
    )
    process.pool = request.param  # type: ignore[attr-defined]
    process.wait_for(" ready.")
    yield process
    process.end()


def test_each_tenant_sees_its_own_rows(shop: ModuleType, worker: Process, told: Told) -> None:
    organizations = ["alpha", "beta"] * 100 + [None] * 40
    random.Random(1).shuffle(organizations)
    for number, organization in enumerate(organizations):
        tenant = {"organization_id": organization} if organization else None
        shop.Count.set(tenant=tenant).perform_async(number)
    expected: Counter[Any] = Counter()
    for number, organization in enumerate(organizations):
        retried, child = number % 3 == 0, number % 5 == 0
        runs = 1 + retried + child * (1 + ((number + 1_001) % 3 == 0))
        expected[organization] += runs + child * _grandchildren(number + 1_001)
    seen = told("seen", expected.total())
    assert Counter(each[0] for each in seen) == expected
    for organization, number, least, greatest in seen:
        assert (number, least, greatest) == (
            (ROWS[organization], organization, organization) if organization else (0, None, None)
        )
    backends = {tuple(each) for each in told("backends")}
    assert len({backend for _, backend in backends}) == len(backends), "no two share a connection"
    assert "unrecognized configuration parameter" not in worker.output


def _grandchildren(number: int) -> int:
    """How often the children of a job's child run: a multiple of five enqueues one, too."""
    if number % 5:
        return 0
    return 1 + ((number + 1_001) % 3 == 0) + _grandchildren(number + 1_001)


def test_no_connection_takes_a_tenant_along(shop: ModuleType, worker: Process, told: Told) -> None:
    for _ in range(10):
        job = shop.CountInline.set(tenant={"organization_id": "alpha"}).perform_async()
        assert job.get(timeout=20) == [7, "alpha", "alpha"]
        assert (
            shop.Leaks.set(tenant={"organization_id": "beta"}).perform_async().get(timeout=20) == ""
        )


def test_what_was_not_committed_is_rolled_back(
    shop: ModuleType, worker: Process, owner: Engine
) -> None:
    writes = shop.Writes.set(tenant={"organization_id": "alpha"})
    assert writes.perform_async(False).get(timeout=20) == ROWS["alpha"] + 2
    with pytest.raises(ValueError, match="on purpose"):
        writes.perform_async(True).get(timeout=20)
    assert rows(owner) == {"alpha": ROWS["alpha"] + 3, "beta": ROWS["beta"]}


def test_nobody_writes_for_another(shop: ModuleType, worker: Process, owner: Engine) -> None:
    trespass = shop.Trespasses.set(tenant={"organization_id": "alpha"}).perform_async()
    with pytest.raises(Exception, match="row-level security"):
        trespass.get(timeout=20)
    assert rows(owner) == ROWS


def test_nested_blocks(shop: ModuleType, worker: Process, owner: Engine) -> None:
    nests = shop.Nests.set(tenant={"organization_id": "alpha"}).perform_async()
    alpha, beta = [7, "alpha", "alpha"], [11, "beta", "beta"]
    assert nests.get(timeout=20) == [alpha, [8, "alpha", "alpha"], beta, alpha]
    assert rows(owner) == ROWS


@pytest.mark.parametrize("name", ["count_bound", "count_unbound", "count_plain"])
def test_tasks_of_the_guide(shop: ModuleType, worker: Process, name: str) -> None:
    task = getattr(shop, name)
    counted = [7, "alpha", "alpha"]
    expected = [5, *counted, *(counted if name == "count_plain" else [])]
    assert task.delay(5, organization_id="alpha").get(timeout=20) == expected
    with pytest.raises(TypeError, match="least"):
        task.delay()
    with pytest.raises(TypeError, match="takes"):
        task.delay(1, 2)


def test_a_coroutine(shop: ModuleType, worker: Process) -> None:
    job = shop.CountAsync.set(tenant={"organization_id": "beta"}).perform_async()
    assert job.get(timeout=20) == [11, "beta", "beta"]


def test_a_call_by_hand_works_for_the_current_tenant(shop: ModuleType) -> None:
    assert shop.CountInline.perform() == [0, None, None]
    token = current.act_for(current.state().tenancy.of({"organization_id": "beta"}))
    try:
        assert shop.CountInline.perform() == [11, "beta", "beta"]
        assert shop.count_unbound(3) == [3, 11, "beta", "beta"]
    finally:
        current.cease(token)


def test_without_a_way_to_make_sessions(shop: ModuleType) -> None:
    from flask import Flask

    from flaskiq import Flaskiq, get_db_session

    bare = Flask("bare")
    Flaskiq(bare)
    with (
        bare.app_context(),
        pytest.raises(SettingError, match="set FLASKIQ_SESSION"),
        get_db_session(),
    ):
        pass
