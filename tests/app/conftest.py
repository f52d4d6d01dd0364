"""The reference application, copied into a folder of its own and run as a person runs it."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests
from processes import Process, Project
from servers import Server, free_port
from waiting import until

ROOT = Path(__file__).parents[2]
OPTIONS = ("-Q", "critical,default,low", "--concurrency=2")


@pytest.fixture(scope="session")
def csv_profile() -> ModuleType:
    """The pure module, loaded by its file: the package `workers` stays out of this process."""
    spec = importlib.util.spec_from_file_location("csv_profile", ROOT / "workers/csv_profile.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["csv_profile"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The reference application in a folder of its own; one for each test module."""
    urls = {"CELERY_BROKER_URL": server.url, "CELERY_RESULT_BACKEND": server.url}
    project = Project(tmp_path_factory.mktemp("reference"), urls)
    for folder in ("workers", "templates", "static", "examples"):
        leave_out = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, project.folder / folder, ignore=leave_out)
    for file in ("celery_app.py", "server.py"):
        shutil.copy(ROOT / file, project.folder)
    yield project
    project.end()


@dataclass
class Backend:
    """A running ``server.py``."""

    url: str
    folder: Path

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=20)

    def upload(self, name: str, content: bytes) -> requests.Response:
        return requests.post(f"{self.url}/api/imports", files={"file": (name, content)}, timeout=20)

    def job(self, job_id: str) -> dict[str, Any]:
        answer = self.get(f"/api/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def wait_for(self, job_id: str, *state: str) -> dict[str, Any]:
        """Poll until the job is in one of these states."""

        def there() -> dict[str, Any]:
            job = self.job(job_id)
            return job if job["state"] in state else {}

        job: dict[str, Any] = until(there, " or ".join(state))
        return job


def start_backend(reference: Project, **env: str) -> Backend:
    port = str(free_port())
    process: Process = reference.start("flask", "--app", "server", "run", "--port", port, **env)
    process.wait_for("Running on")
    return Backend(f"http://127.0.0.1:{port}", reference.folder)


@pytest.fixture(scope="module")
def backend(reference: Project) -> Backend:
    """The web side, with a broker."""
    return start_backend(reference)


@pytest.fixture(scope="module")
def backend_without_broker(reference: Project) -> Backend:
    """The web side, with a broker URL at which nobody listens."""
    url = f"redis://127.0.0.1:{free_port()}/0"
    return start_backend(reference, CELERY_BROKER_URL=url, CELERY_RESULT_BACKEND=url)


@pytest.fixture(scope="module")
def worker(reference: Project) -> Process:
    """A worker that serves all queues, two jobs at a time."""
    return reference.worker("celery_app", *OPTIONS)
