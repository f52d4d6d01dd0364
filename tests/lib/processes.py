"""Real processes for tests: started in a folder, watched through their output, always ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from waiting import until


class Process:
    """One program in a process group of its own, its output kept in a file."""

    def __init__(self, argv: list[str], folder: Path, env: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open("w") as output:
            self._process = subprocess.Popen(
                argv,
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for(self, text: str, timeout: float = 40) -> None:
        """Wait until ``text`` is in the output; fail at once if the process ends without it."""

        def seen() -> bool:
            ended = self._process.poll() is not None
            found = text in self.output
            assert found or not ended, f"ended without {text!r}:\n{self.output}"
            return found

        try:
            until(seen, text, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output}") from None

    def wait(self, timeout: float = 40) -> int:
        """Wait for the end and return the exit code."""
        return self._process.wait(timeout)

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def send(self, signum: int) -> None:
        """Send a signal to the process itself, not to its children."""
        self._process.send_signal(signum)

    def end(self) -> None:
        """Kill the process and all that it started, and wait until nothing of it is left.

        One that is killed keeps its connections for a moment, and what it waits for in Redis may
        still come: a job of the next test.
        """
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        finally:
            self._process.wait()
        with suppress(ProcessLookupError):
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:
                os.killpg(self.pid, 0)
                time.sleep(0.01)


class Project:
    """A folder with an application in it, and the processes that run there."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        self._env = env
        self._processes: list[Process] = []

    def write(self, name: str, text: str) -> Path:
        """Write a file of the application."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def environ(self, **env: str) -> dict[str, str]:
        """Return what a process of this project sees as its environment."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CELERY_", "FLASKIQ_", "FLASK_", "BROKER_"))
        }
        return {**inherited, "PYTHONDONTWRITEBYTECODE": "1", **self._env, **env}

    def start(self, *argv: str, **env: str) -> Process:
        """Start a program of the test's Python, for example ``celery``."""
        program = [str(Path(sys.executable).parent / argv[0]), *argv[1:]]
        log = self.folder / f"process-{len(self._processes)}.log"
        process = Process(program, self.folder, self.environ(**env), log)
        self._processes.append(process)
        return process

    def worker(self, app: str = "celery_app", *options: str, **env: str) -> Process:
        """Start ``celery worker`` and wait until it is ready."""
        process = self.start(
            "celery", "-A", app, "worker", "--loglevel=INFO", *(options or ("--pool=solo",)), **env
        )
        process.wait_for(" ready.")
        return process

    def python(self, code: str, **env: str) -> str:
        """Run ``code`` in a fresh interpreter and return what it printed; fail if it failed."""
        done = self.python_result(code, **env)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def python_result(self, code: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run ``code`` in a fresh interpreter, whatever becomes of it."""
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=self.folder,
            env=self.environ(**env),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def end(self) -> None:
        """End every process that was started here."""
        for process in self._processes:
            process.end()
