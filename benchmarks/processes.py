"""The processes of a contestant: its client, and its workers with all that they start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.contestant import Contestant

ROOT = Path(__file__).parents[1]

OURS = ("BENCH_", "BROKER_", "CELERY_", "FLASK_", "FLASKIQ_", "RESULT_", "dramatiq_")
"""Names in the environment that would change a contestant."""


class ContestantError(Exception):
    """A process of a contestant ended, or did not do its work."""


class Producer:
    """The client process, warmed up once this returns. Use it as a context."""

    def __init__(
        self, contestant: Contestant, operation: str, count: int, url: str, folder: Path
    ) -> None:
        interval = [str(contestant.interval)] if operation == "timed" else []
        module = ["benchmarks.producer", contestant.jobs]
        self._log = folder / "producer.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our program with our options
                [sys.executable, "-m", *module, operation, str(count), *interval],
                cwd=folder,
                env=environ(url, contestant.env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            self._expect_ready()
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Producer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def work(self, timeout: float = 120) -> tuple[float, float]:
        """Let it enqueue; return the seconds that it took, and those of CPU.

        Raises:
            ContestantError: it ended with an error, or is not done within ``timeout`` seconds.
        """
        try:
            output, _ = self._process.communicate("go\n", timeout)
        except subprocess.TimeoutExpired:
            raise ContestantError(f"the client is not done after {timeout:.0f} s") from None
        if self._process.returncode:
            raise ContestantError(f"the client ended: {tail([self._log])}")
        answer = json.loads(output)
        return answer["seconds"], answer["cpu"]

    def _expect_ready(self) -> None:
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "READY":
            self._process.wait()
            raise ContestantError(f"the client did not start: {tail([self._log])}")


class Workers:
    """The worker processes. Use it as a context: they are killed when it ends."""

    def __init__(self, contestant: Contestant, url: str, files: Mapping[str, str], folder: Path):
        self._logs = [folder / f"worker-{index}.log" for index in range(len(contestant.workers))]
        env = environ(url, {**contestant.env, **contestant.worker_env, **files})
        self._roots: list[subprocess.Popen[bytes]] = []
        for argv, log in zip(contestant.workers, self._logs, strict=True):
            with log.open("wb") as output:
                self._roots.append(
                    subprocess.Popen(  # noqa: S603 - the contestant's own program
                        [_program(argv[0]), *argv[1:]],
                        cwd=folder,
                        env=env,
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=output,
                        start_new_session=True,
                    )
                )

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        """Kill all: nothing is left to do, and the server is emptied next."""
        tree = self._tree()
        for process in tree:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for root in self._roots:
            root.wait()
        psutil.wait_procs(tree, timeout=5)

    def check(self) -> None:
        """Raise ContestantError if a process that was started here has ended."""
        if any(root.poll() is not None for root in self._roots):
            raise ContestantError(f"a worker ended: {tail(self._logs)}")

    def explain(self) -> str:
        """The end of what the workers wrote."""
        return tail(self._logs)

    def count(self) -> int:
        """How many processes there are."""
        return len(self._tree())

    def cpu_seconds(self) -> float:
        """The CPU time of all processes, of those that have ended too."""
        return sum(map(_cpu_seconds, self._tree()))

    def pss_mb(self) -> float:
        """Their memory in MB, shared pages divided among those that share them."""
        return sum(map(_pss_bytes, self._tree())) / 2**20

    def _tree(self) -> list[psutil.Process]:
        found = []
        for root in self._roots:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(root.pid)
                found += [process, *process.children(recursive=True)]
        return found


def environ(url: str, more: Mapping[str, str]) -> dict[str, str]:
    """The environment of a contestant's process."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**inherited, "PYTHONPATH": str(ROOT), "BENCH_REDIS_URL": url, **more}


def tail(logs: Iterable[Path], lines: int = 12) -> str:
    """The last lines of each file."""
    texts = [log.read_text(errors="replace").splitlines()[-lines:] for log in logs]
    return "\n".join(line for text in texts for line in text)


def _program(name: str) -> str:
    """A program of the environment that runs the benchmarks."""
    return str(Path(sys.executable).parent / name)


def _cpu_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(sum((times.user, times.system, times.children_user, times.children_system)))


def _pss_bytes(process: psutil.Process) -> int:
    try:
        memory = process.memory_full_info()
    except psutil.NoSuchProcess:
        return 0
    return int(getattr(memory, "pss", 0) or memory.uss)  # only Linux tells PSS
