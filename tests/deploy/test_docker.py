"""The Dockerfile: linted, and its commands run, as far as they run without Docker."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from dockerfile import Instruction, instructions
from processes import Process, Project
from servers import free_port
from waiting import until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
INSTRUCTIONS = instructions(ROOT / "Dockerfile")
BUILD, IMAGE = 0, 1


def named(name: str, stage: int = IMAGE) -> list[Instruction]:
    """Return the instructions of a name in a stage."""
    return [each for each in INSTRUCTIONS if each.name == name and each.stage == stage]


def one(name: str) -> Instruction:
    """Return the only instruction of a name in the image."""
    (found,) = named(name)
    return found


def test_the_linter_finds_nothing() -> None:
    done = subprocess.run(
        [BIN / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_it_has_two_stages_on_pinned_slim_images() -> None:
    sources = [each.text for each in INSTRUCTIONS if each.name == "FROM"]
    assert len(sources) == 2
    for source in sources:
        assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}( AS build)?", source)


def test_it_runs_without_root() -> None:
    assert one("USER").text == "10001:10001"


def test_signals_arrive() -> None:
    assert one("ENTRYPOINT").words == ["tini", "--", "docker/entrypoint.sh"]
    assert one("CMD").words == ["flaskiq", "worker", "start"]
    assert os.access(ROOT / "docker/entrypoint.sh", os.X_OK)


def test_what_is_copied_is_sent_to_docker() -> None:
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    sent = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {
        word
        for stage in (BUILD, IMAGE)
        for each in named("COPY", stage)
        if not each.text.startswith("--from")
        for word in each.text.split()[:-1]
    }
    assert "*" in rules
    assert copied == sent
    for word in copied:
        assert (ROOT / word).exists(), word
    for secret in (".env", ".git", ".flaskiq", "instance"):
        assert not any(fnmatch.fnmatch(secret, each) for each in sent)


# Its commands


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """What the image would hold: ``opt/flaskiq`` and ``app``, made by the file's own commands.

    No network: what is installed besides comes from the test's Python, and is not built.
    """
    (run,) = named("RUN", BUILD)
    steps = [step.strip().replace("/opt/", f"{tmp_path}/opt/") for step in run.text.split("&&")]
    make_venv, install = steps
    (tmp_path / "build").mkdir()
    copy(named("COPY", BUILD), tmp_path / "build")
    shell(make_venv.replace("python", sys.executable, 1), tmp_path / "build")
    (site,) = (tmp_path / "opt/flaskiq/lib").glob("python*/site-packages")
    # Behind the venv's own, so that its flaskiq is the one that is installed here.
    (site / "of_the_test.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    shell(install, tmp_path / "build", PIP_NO_INDEX="1", PIP_NO_BUILD_ISOLATION="0")
    (tmp_path / "app").mkdir()
    copy([each for each in named("COPY") if not each.text.startswith("--from")], tmp_path / "app")
    return tmp_path


def copy(these: list[Instruction], folder: Path) -> None:
    """Do what instructions do that copy from the context into the working folder."""
    for each in these:
        *sources, target = each.text.split()
        for source in sources:
            path = ROOT / source
            if path.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(path, folder / target, ignore=ignored)
            else:
                shutil.copy(path, folder / target)


def shell(command: str, folder: Path, **env: str) -> None:
    """Run a command as the build does; fail if it fails."""
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env={"PATH": f"{BIN}:/usr/bin:/bin", **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


@pytest.fixture
def start(project: Project) -> Callable[..., Process]:
    """Starts a command as the image does, but for tini, with the programs of a folder."""
    entrypoint = one("ENTRYPOINT").words[-1]

    def start(app: Path, programs: Path, *command: str, **env: str) -> Process:
        env = {**project.environ(), "PATH": f"{programs}:/usr/bin:/bin", **env}
        argv = [str(app / entrypoint), *command]
        process = Process(argv, app, env, project.folder / "container.log")
        project._processes.append(process)
        return process

    return start


def test_its_command_is_a_worker_that_is_healthy_and_obeys_term(
    image: Path, start: Callable[..., Process]
) -> None:
    programs = image / "opt/flaskiq/bin"
    code = "import flaskiq, flower, gunicorn, prometheus_client; print(flaskiq.__file__)"
    done = subprocess.run([programs / "python", "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith(str(image)), done.stderr
    ports = {name: str(free_port()) for name in ("HEALTH_PORT", "METRICS_PORT")}
    worker = start(image / "app", programs, *one("CMD").words, PYTHONUNBUFFERED="1", **ports)
    worker.wait_for(" ready.")
    check = Instruction(IMAGE, "CMD", one("HEALTHCHECK").text.partition(" CMD ")[2]).words

    def is_healthy() -> bool:
        env = {"PATH": "/usr/bin:/bin", **ports}
        return subprocess.run(check, env=env, capture_output=True, check=False).returncode == 0

    until(is_healthy, f"the health check\n{worker.output}")
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert "Warm shutdown" in worker.output
    assert not is_healthy()


@pytest.mark.parametrize("word", ["yes", "True", "1", "on"])
def test_flower_beside_it_needs_a_password(start: Callable[..., Process], word: str) -> None:
    refused = start(ROOT, BIN, "true", ENABLE_FLOWER=word)
    assert refused.wait() == 2
    assert "FLOWER_BASIC_AUTH" in refused.output


@pytest.mark.parametrize("word", ["no", "False", "0", "off", ""])
def test_no_flower_without_the_word(start: Callable[..., Process], word: str) -> None:
    alone = start(ROOT, BIN, "echo", "alone", ENABLE_FLOWER=word)
    assert alone.wait() == 0
    assert alone.output == "alone\n"


def test_flower_beside_it_asks_for_the_password(start: Callable[..., Process]) -> None:
    port = str(free_port())
    env = {"FLOWER_BASIC_AUTH": "ops:staged", "FLOWER_PORT": port}
    both = start(ROOT, BIN, "sleep", "60", ENABLE_FLOWER="yes", **env)

    def status(*options: str) -> str:
        url = f"http://127.0.0.1:{port}/workers"
        argv = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}"]
        done = subprocess.run([*argv, *options, url], capture_output=True, text=True, check=False)
        return done.stdout

    until(lambda: status() == "401", f"Flower\n{both.output}")
    assert status("--user", "ops:staged") == "200"
    assert both.is_running
    assert "staged" not in both.output
