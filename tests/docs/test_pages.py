"""The pages of docs/ say what is so: their Python runs, their links lead somewhere.

A ``python`` block that is no file is complete in itself; where each ``print`` carries its output as
a comment, the outputs are compared. A ``python fragment`` is only compiled. Which test runs which
block says ``test_every_block.py``.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import sys
import sysconfig
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page import COMMANDS, FENCE, PAGES, ROOT, Block, Terminal, blocks, run, scripts, write
from processes import Process, Project
from servers import Server, free_port
from waiting import until

from flaskiq import Worker, options
from flaskiq.cron.expression import CronExpression
from flaskiq.setter import CallOptions

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


def typed(page: str, section: str = "") -> list[Block]:
    """Return the blocks that are typed at a terminal."""
    return [block for block in blocks(page, section) if block.info in COMMANDS]


# settings.md


@pytest.mark.parametrize("script", scripts("settings.md"), ids=str)
def test_settings_run(tmp_path: Path, script: Block) -> None:
    run(Project(tmp_path, {}), script)


# README.md


def test_the_calls_of_the_readme_run(project: Project) -> None:
    app, calls = scripts("README.md")
    project.write("app.py", app.code)
    project.write("celery_app.py", "from app import flaskiq; celery_app = flaskiq.celery")
    project.worker("celery_app")
    run(
        project, calls, "from datetime import datetime; from app import *; app.app_context().push()"
    )


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
        *_, enqueue, ask = [
            b for b in blocks("quickstart.md", "From an empty folder") if b.info == "sh"
        ]
        shown = re.findall(r"/jobs/([\w-]+)", ask.code)[0]
        terminal = Terminal(project, {"localhost:8080": f"127.0.0.1:{port}", shown: job["job_id"]})
        assert '{"job_id":' in terminal.type(enqueue)
        assert '"result":"Welcome, Ada"' in terminal.type(ask).replace(": ", ":")
        terminal.end()
    finally:
        dev.send(signal.SIGINT)
        dev.wait()


def test_the_installation_is_as_the_page_says(project: Project) -> None:
    """Without a network: what pip would fetch is there already, as this test's Python has it."""
    python3 = project.write(
        "bin/python3",
        f"""#!/bin/sh
{sys.executable} "$@" && echo {sysconfig.get_path("purelib")} > \
    .venv/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages/of_the_test.pth
""",
    )
    python3.chmod(0o755)
    install = blocks("quickstart.md", "From an empty folder")[0]
    terminal = Terminal(project)
    assert "Requirement already satisfied: flaskiq[dev]" in terminal.type(install)
    terminal.end()


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


def test_the_addresses_of_the_dashboard_answer(project: Project) -> None:
    project.write("app.py", scripts("dashboard.md")[0].code)
    port = str(free_port())
    web = project.start("flask", "--app", "app", "run", "--port", port, FLASKIQ_ENV="development")
    web.wait_for("Running on")
    terminal = Terminal(project, {"localhost:5000": f"127.0.0.1:{port}"})
    (block,) = typed("dashboard.md")
    printed = [line for line in terminal.type(block).splitlines() if line.startswith("{")]
    queues, jobs, act = map(json.loads, "".join(printed).replace("}{", "}\n{").splitlines())
    assert "queues" in queues
    assert jobs["total"] == 0
    assert act["act"] == "retry"
    terminal.end()


# What stays until Ctrl-C

APP = """
from celery import Celery
from flask import Flask
from flaskiq import Flaskiq
flask_app = Flask(__name__)
celery_app = Flaskiq(flask_app).celery
"""

STOCK_APP = """
import os
from celery import Celery
app = Celery(broker=os.environ["CELERY_BROKER_URL"])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "section"),
    [
        ("quickstart.md", "In a Flask app that you have"),
        ("quickstart.md", "With a Celery app that you have"),
        ("workers.md", "Local set-up"),
        ("compatibility.md", "A stock worker"),
        ("configuration.md", "CELERY_WORKER_OPTS"),
        ("configuration.md", "Flower"),
    ],
)
def test_the_programs_of_a_section_start(project: Project, page: str, section: str) -> None:
    project.write("celery_app.py", APP)
    project.write("stock_app.py", STOCK_APP)
    write(project, page, section)
    terminal = Terminal(project)
    of_the_cli_page = {command for block in typed("cli.md") for command in block.commands}
    for block in typed(page, section):
        terminal.type(block, elsewhere=of_the_cli_page)
    terminal.end()


# logs.md, kubernetes.md


@pytest.mark.slow
def test_what_is_said_of_logs_runs(project: Project) -> None:
    project.write("celery_app.py", APP)
    project.write("worker.log", "ERROR Task shop.Add[8df3] succeeded in 0.0017s: 3\n")
    for script in scripts("logs.md"):
        run(project, script)
    terminal = Terminal(project)
    for block in typed("logs.md"):
        terminal.type(block)
    terminal.end()


def test_a_password_is_made(project: Project) -> None:
    terminal = Terminal(project)
    for block in typed("kubernetes.md", "Deploy"):
        assert re.search(r"password=[0-9a-f]{48}\n", terminal.type(block))
    terminal.end()


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


@pytest.mark.slow
def test_the_commands_about_redis_and_celery_run(
    guide: Project, worker: Process, server: Server
) -> None:
    job_id = guide.python(
        "import celery_app; from workers.arithmetic import Add;"
        "job = Add.perform_async(1, 2); job.get(timeout=20); print(job.id)"
    )
    with server.client() as client:
        (process,) = client.smembers("flaskiq:processes")
    unasked = {"purge -Q": "purge --force -Q"}  # nobody is there to answer
    terminal = Terminal(guide, {"<process>": process, "<job id>": job_id, **unasked})
    for section in ("Redis", "Celery"):
        (block,) = typed("workers.md", section)
        assert job_id in terminal.type(block)
    (block,) = typed("redis.md")
    terminal.type(block)
    terminal.end()
