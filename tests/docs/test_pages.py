"""The pages of docs/ say what is so: their Python runs, their links lead somewhere.

A Python block whose first line is ``# path/to/file.py`` is that file of the page's project. Any
other ``python`` block is complete in itself; where each ``print`` carries its output as a comment,
the outputs are compared. A ``python fragment`` needs something around it, and is only compiled.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from processes import Process, Project
from servers import Server, free_port
from waiting import until

from flaskiq import Worker, options
from flaskiq.cron.expression import CronExpression
from flaskiq.setter import CallOptions

ROOT = Path(__file__).parents[2]
PAGES = {
    path.name: path.read_text() for path in (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")))
}

FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
FILE = re.compile(r"# ([\w/]+\.py)\n")
PRINTED = re.compile(r"^print\(.*\)  # (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    info: str
    code: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file that it is, if it is one."""
        match = FILE.match(self.code) if self.info == "python" else None
        return match[1] if match else None


def blocks(page: str, section: str = "") -> list[Block]:
    """Return the blocks of a page, or of one of its sections."""
    text = PAGES[page]
    start = text.index(f"\n## {section}\n") if section else 0
    end = text.find("\n## ", start + 1) if section else len(text)
    return [
        Block(page, text.count("\n", 0, match.start()) + 1, match[1], match[2])
        for match in FENCE.finditer(text)
        if start <= match.start() < (end if end > 0 else len(text))
    ]


def scripts(page: str, section: str = "") -> list[Block]:
    """Return the blocks that run by themselves."""
    return [b for b in blocks(page, section) if b.info == "python" and b.file is None]


def write(project: Project, page: str, section: str = "") -> None:
    """Write the files of a page into a project."""
    files = [block for block in blocks(page, section) if block.file]
    assert len({block.file for block in files}) == len(files), "a file is shown twice"
    for block in files:
        project.write(str(block.file), block.code)


def run(project: Project, script: Block, before: str = "") -> None:
    """Run a block in a process of its own and compare what it prints with what it says."""
    done = project.python_result(f"{before}\n{script.code}")
    assert done.returncode == 0, f"{script}\n{done.stderr}"
    expected = PRINTED.findall(script.code)
    if expected:
        assert done.stdout.splitlines() == expected, str(script)


# The pages as text


@pytest.mark.parametrize("page", PAGES)
def test_every_fence_is_closed_and_says_what_it_holds(page: str) -> None:
    assert PAGES[page].count("\n```") == 2 * len(blocks(page))
    allowed = {"python", "python fragment", "sh", "sql", "json", ""}
    assert [str(block) for block in blocks(page) if block.info not in allowed] == []


@pytest.mark.parametrize("page", PAGES)
def test_python_can_be_compiled(page: str) -> None:
    for block in blocks(page):
        if block.info.startswith("python"):
            compile(block.code, str(block), "exec")


def anchors(text: str) -> set[str]:
    """Return the names that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_lead_somewhere(page: str) -> None:
    folder = ROOT if page == "README.md" else ROOT / "docs"
    links = re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", PAGES[page]))
    for link in links:
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        target = folder / path if path else folder / page
        assert target.exists(), f"{page}: {link}"
        if anchor:
            assert anchor in anchors(target.read_text()), f"{page}: {link}"


def cells(page: str, head: str) -> list[list[str]]:
    """Return the cells of the table that begins with ``head``."""
    body = PAGES[page].partition(f"\n{head}\n")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in body.splitlines()[1:]]
    assert rows, head
    return rows


def test_every_option_of_a_worker_is_on_the_page() -> None:
    table = cells("workers.md", "| option | default | what it does |")
    documented = {name.strip("`"): default.strip("`") for name, default, _ in table}
    expected = {name: repr(getattr(Worker, name, None)) for name in options._OPTIONS}
    assert documented == {**expected, "name": "module.ClassName"}


def test_every_option_of_a_call_is_on_the_page() -> None:
    table = cells("workers.md", "| in `set(...)` | what it does |")
    documented = {name for row in table for name in re.findall(r"`(\w+)`", row[0])}
    assert documented == set(CallOptions.__annotations__)


def test_the_cron_expressions_of_the_page_are_accepted() -> None:
    for text, _ in cells("workers.md", "| cron_schedule | when |"):
        CronExpression(text.strip("`"))


# settings.md


@pytest.mark.parametrize("script", scripts("settings.md"), ids=str)
def test_settings_run(tmp_path: Path, script: Block) -> None:
    run(Project(tmp_path, {}), script)


# quickstart.md


def answer(url: str, method: str = "GET") -> dict[str, Any] | None:
    """Return the JSON of a URL, or None as long as nobody answers there."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=5) as got:
            return dict(json.load(got))
    except OSError:
        return None


def test_from_an_empty_folder_to_a_job_that_ran(project: Project) -> None:
    write(project, "quickstart.md", "From an empty folder")
    port, flower_port = free_port(), free_port()
    dev = project.start("flaskiq", "dev", f"--port={port}", f"--flower-port={flower_port}")
    url = f"http://127.0.0.1:{port}"
    try:
        job = until(lambda: answer(f"{url}/welcome/Ada", "POST"), f"the app\n{dev.output}")

        def done() -> bool:
            return answer(f"{url}/jobs/{job['job_id']}") == {
                "status": "SUCCESS",
                "result": "Welcome, Ada",
            }

        until(done, f"the job\n{dev.output}")
    finally:
        dev.send(signal.SIGINT)
        dev.wait()


def test_in_a_flask_app_that_you_have(project: Project) -> None:
    section = "In a Flask app that you have"
    write(project, "quickstart.md", section)
    worker = project.start("flaskiq", "worker", "start", "--pool=solo")
    worker.wait_for(" ready.")
    for script in scripts("quickstart.md", section):
        run(project, script, "import celery_app")
    assert "Sending the receipt of order 42" in worker.output


def test_with_a_celery_app_that_you_have(project: Project) -> None:
    section = "With a Celery app that you have"
    write(project, "quickstart.md", section)
    worker = project.worker("shop_app")
    for script in scripts("quickstart.md", section):
        run(project, script)
    listed = re.findall(r"\.> (\w+) +exchange", worker.output)
    assert listed == sorted(["critical", "default", "low", "celery"])


# api.md


def test_the_inspection_api_runs(project: Project) -> None:
    write(project, "api.md")
    project.worker("app:celery_app", "--pool=threads", "--concurrency=2")
    for script in scripts("api.md"):
        run(project, script)


# tenancy.md, batches.md, chords.md


@pytest.mark.parametrize("page", ["tenancy.md", "batches.md", "chords.md"])
def test_a_page_about_the_reference_application_runs(project: Project, page: str) -> None:
    write(project, page)
    shutil.copy(ROOT / "celery_app.py", project.folder)
    project.worker("celery_app", "--pool=threads", "--concurrency=2")
    for script in scripts(page):
        run(project, script, "import celery_app; celery_app.flask_app.app_context().push()")


# dashboard.md


def test_the_page_about_the_dashboard_runs(project: Project) -> None:
    write(project, "dashboard.md")
    for script in scripts("dashboard.md"):
        run(project, script, "from flask import Flask; from flaskiq import Flaskiq")


# workers.md


@pytest.fixture(scope="module")
def guide(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project of the workers guide, with the example Workers of this repository."""
    folder = tmp_path_factory.mktemp("guide")
    for name in ("workers", "examples"):
        shutil.copytree(ROOT / name, folder / name)
    project = Project(
        folder, {"CELERY_BROKER_URL": server.url, "CELERY_RESULT_BACKEND": server.url}
    )
    write(project, "workers.md")
    yield project
    project.end()


@pytest.fixture(scope="module")
def worker(guide: Project, server: Server) -> Process:
    """A worker of that project, its queues empty."""
    with server.client() as client:
        client.flushall()
    return guide.worker("celery_app", "--pool=threads", "--concurrency=2")


def redis_commands() -> list[str]:
    """Return the commands of the guide that ``redis-cli`` sends as they are."""
    lines = [line for b in blocks("workers.md") if b.info == "sh" for line in b.code.splitlines()]
    commands = [re.fullmatch(r"redis-cli ([A-Z]+ [\w: ]+?) *(#.*)?", line) for line in lines]
    return [command[1] for command in commands if command]


def look(server: Server) -> dict[str, int]:
    """Return what the commands of the guide show, for a list or a set its length."""
    with server.client() as client:
        answers = {each: client.execute_command(*each.split()) for each in redis_commands()}
    return {each: got if isinstance(got, int) else len(got) for each, got in answers.items()}


def test_redis_shows_the_jobs_that_wait(guide: Project, server: Server) -> None:
    with server.client() as client:
        client.flushall()
    guide.python("""
import celery_app
from workers.arithmetic import Add
for number, queue in enumerate(("critical", "default", "low"), start=1):
    Add.set(queue=queue).perform_bulk([(n, n) for n in range(number)])
Add.perform_in(600, 1, 2)
""")
    assert look(server) == {
        "LLEN critical": 1,
        "LLEN default": 2,
        "LLEN low": 3,
        "LRANGE default 0 9": 2,
        "ZCARD flaskiq:scheduled": 1,
        "ZCARD flaskiq:retry": 0,
        "ZCARD flaskiq:dead": 0,
        "SMEMBERS flaskiq:processes": 0,
    }


@pytest.mark.parametrize("script", scripts("workers.md"), ids=str)
def test_the_workers_guide_runs(guide: Project, worker: Process, script: Block) -> None:
    run(guide, script, "import celery_app")


def test_every_worker_of_the_guide_is_registered(guide: Project, worker: Process) -> None:
    for block in blocks("workers.md"):
        if block.file and block.file.startswith("workers/"):
            module = block.file.removesuffix(".py").replace("/", ".")
            for name in re.findall(r"^class (\w+)\(Worker\)", block.code, re.MULTILINE):
                assert f"Worker {module}.{name} on queue" in worker.output


def test_the_tests_of_the_guide_pass(guide: Project) -> None:
    # Without a server: the page says that they need none.
    nowhere = {"CELERY_BROKER_URL": "redis://127.0.0.1:1/0", "CELERY_RESULT_BACKEND": ""}
    done = guide.python_result(
        "import pytest; raise SystemExit(pytest.main(['-q', 'tests']))", **nowhere
    )
    assert done.returncode == 0, done.stdout


def test_redis_shows_the_worker_and_what_it_has_in_hand(
    guide: Project, worker: Process, server: Server
) -> None:
    assert look(server)["SMEMBERS flaskiq:processes"] == 1
    guide.python("import celery_app; from workers.imports import ImportRows;"
                 "ImportRows.perform_async(rows=5)")  # fmt: skip
    with server.client() as client:
        (process,) = client.smembers("flaskiq:processes")
        until(lambda: client.hlen(f"flaskiq:inflight:{process}") == 1, "the worker has it in hand")
    assert look(server)["LLEN default"] == 0
