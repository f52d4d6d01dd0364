"""The tasks of Rhesis' guides, run for real, with row-level security.

Each file of ``rhesis/`` is a Python sample of "Worker Tasks and Background Processing" or of the
"Worker Troubleshooting Guide"; only import lines were changed, and the FastAPI route is one of
Flask. What the guides leave to their reader (models, ``crud``, users) is written here.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from postgres import Postgres
from processes import Project
from sqlalchemy import create_engine, text

SAMPLES = Path(__file__).parent / "rhesis"
TASKS = {  # task: its file, which must not look like tests to pytest
    "count_test_sets": "count_test_sets.py",
    "echo": "echo.py",
    "get_test_configuration": "get_test_configuration.py",
    "manual_db_example": "manual_db_example.py",
    "execute_single_test": "execute_single.py",
    "collect_results": "collect_results.py",
}
DEFINITIONS = ("base_task.py", "with_tenant_context.py", "task_launcher.py")
"""What the guide defines itself and we bring along: an app that has copied it goes on, too."""

CONFIGURATION = "11111111-1111-4111-8111-111111111111"

DATABASE = """
import os
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

engine = create_engine(os.environ["DATABASE_URL"])
SessionLocal = sessionmaker(engine)

def set_tenant(db, organization_id, user_id):
    statement = text("SELECT set_config('app.current_organization', :organization, true)")
    db.execute(statement, {"organization": organization_id})
"""

CRUD = """
from sqlalchemy import text

def get_test_sets(db):
    return db.execute(text("SELECT id FROM test_sets")).all()

def get_test_configuration(db, test_configuration_id):
    statement = text("SELECT id FROM test_configurations WHERE id = :id")
    return db.execute(statement, {"id": test_configuration_id}).first()
"""

AUTH = """
from flask import request

class User:
    def __init__(self, organization_id, id):
        self.organization_id, self.id = organization_id, id

def require_current_user_or_token():
    return User(*request.headers["X-User"].split("/"))
"""

TASKS_INIT = f"""
from flaskiq import task_launcher
{"".join(f"from rhesis.backend.tasks.{name} import {name}" + chr(10) for name in TASKS)}
execute_test_configuration = get_test_configuration
"""

OWN = """
from rhesis.backend.app import crud
from rhesis.backend.tasks.base_task import BaseTask
from rhesis.backend.tasks.with_tenant_context import with_tenant_context
from rhesis.backend.worker import app

@app.task(base=BaseTask, bind=True)
def count_by_hand(self):
    with self.get_db_session() as db:
        return len(crud.get_test_sets(db))

@app.task(base=BaseTask, bind=True)
@with_tenant_context
def count_by_decorator(self, db=None):
    return len(crud.get_test_sets(db))
"""

APP = """
from flask import Flask, g, request
from flaskiq import Flaskiq, web
from rhesis.backend.worker import app as celery_app
from rhesis.backend.endpoint import router

flask_app = Flask(__name__)
flask_app.config["FLASKIQ_SESSION"] = "rhesis.backend.app.database:SessionLocal"
flask_app.config["FLASKIQ_WORKERS"] = []
flaskiq = Flaskiq(flask_app, celery=celery_app)
flask_app.register_blueprint(router)
flask_app.register_blueprint(web.tasks)

@flask_app.before_request
def who():
    g.organization_id, g.user_id = request.headers["X-User"].split("/")
"""

SCHEMA = """
DROP TABLE IF EXISTS test_sets, test_configurations;
DROP ROLE IF EXISTS rhesis;
CREATE ROLE rhesis LOGIN;
CREATE TABLE test_sets (id serial PRIMARY KEY, organization_id uuid NOT NULL);
CREATE TABLE test_configurations (id uuid PRIMARY KEY, organization_id uuid NOT NULL);
ALTER TABLE test_sets ENABLE ROW LEVEL SECURITY;
ALTER TABLE test_configurations ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON test_sets USING
  (organization_id = NULLIF(current_setting('app.current_organization'), '')::uuid);
CREATE POLICY own ON test_configurations USING
  (organization_id = NULLIF(current_setting('app.current_organization'), '')::uuid);
GRANT ALL ON test_sets, test_configurations TO rhesis
"""

ORGANIZATION = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
OTHER = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"


@pytest.fixture
def rhesis(project: Project, postgres: Postgres, redis_url: str) -> Project:
    """The project of the guides, and its tables."""
    engine = create_engine(postgres.url(), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in SCHEMA.strip().split(";\n"):
            connection.execute(text(statement))
        for organization, number in ((ORGANIZATION, 3), (OTHER, 5)):
            insert = text("INSERT INTO test_sets (organization_id) VALUES (:o)")
            connection.execute(insert, [{"o": organization}] * number)
        insert = text("INSERT INTO test_configurations VALUES (:id, :o)")
        connection.execute(insert, {"id": CONFIGURATION, "o": ORGANIZATION})
    engine.dispose()
    backend = {
        "worker.py": (SAMPLES / "worker.py").read_text(),
        "endpoint.py": (SAMPLES / "endpoint.py").read_text(),
        "app/database.py": DATABASE,
        "app/crud.py": CRUD,
        "app/auth.py": AUTH,
        "tasks/__init__.py": TASKS_INIT + "from rhesis.backend.tasks.own import *\n",
        **{f"tasks/{name}": (SAMPLES / name).read_text() for name in DEFINITIONS},
        "tasks/own.py": OWN,
        **{f"tasks/{name}.py": (SAMPLES / file).read_text() for name, file in TASKS.items()},
    }
    for name, source in backend.items():
        project.write(f"rhesis/backend/{name}", source)
    project.write("rhesis_app.py", APP)
    return project


def test_the_samples(rhesis: Project, postgres: Postgres, redis_url: str) -> None:
    # The guide reads the broker from BROKER_URL.
    env = {"BROKER_URL": redis_url, "DATABASE_URL": postgres.url("rhesis")}
    worker = rhesis.worker("rhesis_app:celery_app", "--pool=prefork", "--concurrency=2", **env)
    lines = rhesis.python(_CLIENT, **env).splitlines()
    assert lines == EXPECTED
    assert f"Task executed for organization: {ORGANIZATION}, by user: 7" in worker.output
    assert "unrecognized configuration parameter" not in worker.output


_CLIENT = f"""
import time
from celery import chord
from rhesis_app import flask_app
from rhesis.backend import tasks

acme = {{"organization_id": "{ORGANIZATION}", "user_id": "7"}}

def get(result):
    return result.get(timeout=30)

print(get(tasks.count_test_sets.delay(**acme)))
print(get(tasks.count_test_sets.delay(organization_id="{OTHER}")))
print(get(tasks.count_test_sets.delay())["count"])
print(get(tasks.echo.delay("hello", **acme)))
print(get(tasks.manual_db_example.apply_async(headers=acme)))
print(get(tasks.get_test_configuration.delay("{CONFIGURATION}", **acme)))
print(get(tasks.get_test_configuration.delay("{CONFIGURATION}", organization_id="{OTHER}")))
print(get(tasks.count_by_hand.delay(**acme)))
from rhesis.backend.tasks.task_launcher import task_launcher
from rhesis.backend.app.auth import User
print(get(task_launcher(tasks.count_by_decorator, current_user=User("{OTHER}", 9))))
parts = [tasks.execute_single_test.s(test, **given) for test, given in
    (("a", {{}}), ("bad", {{}}), ("c", {{"organization_id": "by-hand"}}))]
body = tasks.collect_results.s()
for each in (*parts, body):
    each.set(headers=acme)
print(get(chord(parts)(body)))
client = flask_app.test_client()
user = {{"X-User": "{ORGANIZATION}/7"}}
task = client.post("/test_configurations/{CONFIGURATION}/execute", headers=user).get_json()
def status(headers=user):
    return client.get(f"/tasks/{{task['task_id']}}", headers=headers)
while status().get_json()["status"] != "SUCCESS":
    time.sleep(0.05)
answer = status().get_json()
print([answer[key] for key in ("status", "result", "error", "state")])
print(answer["task_id"] == task["task_id"], status({{"X-User": "{OTHER}/7"}}).status_code)
"""

EXPECTED = [
    str({"count": 3, "organization_id": ORGANIZATION, "user_id": "7"}),
    str({"count": 5, "organization_id": OTHER, "user_id": "unknown"}),
    "0",
    f"Message: hello, Organization: {ORGANIZATION}, User: 7",
    "{'test_set_count': 3}",
    str({"found": True, "id": CONFIGURATION}),
    str({"found": False, "id": None}),
    "3",
    "5",
    str([1, 3, ORGANIZATION]),
    str(["SUCCESS", {"found": True, "id": CONFIGURATION}, None, "done"]),
    "True 404",
]
