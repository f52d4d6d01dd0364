"""The wheel as it is shipped, in an empty folder, by the words of the README."""

from __future__ import annotations

import re
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import wheels
from processes import Process, Project
from servers import free_port
from waiting import until

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout without a network."""
    return wheels.build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed wheel; what it depends on comes from the test's Python."""
    folder = tmp_path_factory.mktemp("site")
    wheels.install(wheel, folder)
    return folder


@pytest.fixture
def empty(site: Path, tmp_path: Path) -> Iterator[Project]:
    """An empty folder in which the wheel, and not the checkout, is imported."""
    project = Project(tmp_path, {"PYTHONPATH": str(site)})
    where = project.python("import flaskiq; print(flaskiq.__file__)")
    assert where.startswith(str(site))
    yield project
    project.end()


def readme_app() -> str:
    """The app.py of the README."""
    (code,) = re.findall(
        r"`app\.py`:\n\n```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    return str(code)


def answer(url: str) -> str:
    """GET a page of a program that may still be starting."""
    try:
        return requests.get(url, timeout=10).text
    except requests.ConnectionError:
        return ""


def test_the_app_of_the_readme_runs_by_one_command(empty: Project) -> None:
    empty.write("app.py", readme_app())
    port, flower = free_port(), free_port()
    run = empty.start("flaskiq", "dev", "--port", str(port), "--flower-port", str(flower))
    try:
        run.wait_for(" ready.")
        posted = requests.post(f"http://127.0.0.1:{port}/welcome/Ada", timeout=20).json()
        result = empty.python(
            "from app import flaskiq\n"
            f"print(flaskiq.celery.AsyncResult({posted['job_id']!r}).get(timeout=20))",
            CELERY_BROKER_URL=broker_of(run),
        )
        assert result == "Welcome, Ada"
        flower_url = f"http://127.0.0.1:{flower}"
        until(lambda: "app.Welcome" in answer(f"{flower_url}/api/tasks"), "Flower lists the task")
        until(lambda: "worker1-" in answer(f"{flower_url}/api/workers"), "Flower lists the worker")
    finally:
        run.send(signal.SIGINT)
        assert run.wait() == 0


def broker_of(run: Process) -> str:
    """The URL that the banner of ``flaskiq dev`` tells."""
    url = re.findall(r"^  broker  .*?(redis://\S+)", run.output, re.MULTILINE)[0]
    return str(url)


def test_the_wheel_holds_the_package_and_its_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top.partition("-")[0] for top in tops} == {"flaskiq"}
    assert "flaskiq/py.typed" in names
    assert "flaskiq/web/dashboard/templates/flaskiq/base.html" in names
    assert "flaskiq/web/dashboard/assets/dashboard.css" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert sorted(
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src").rglob("*.py")
        if "__pycache__" not in path.parts
    ) == sorted(name for name in names if name.endswith(".py"))
