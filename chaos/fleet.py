"""The fleet: workers that are started again whenever they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from chaos import ledger
from chaos.posts import OURS, Post, Shape

ROOT = Path(__file__).parents[1]
STOPS_WITHIN = 20
LEAVES_WITHIN = 10
"""Seconds in which the children of a killed parent end, when nothing is to be done any more."""

STILL = (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)


@dataclass
class Member:
    """One worker, alive or dead. Its name is that of its post and its generation."""

    name: str
    post: Post
    shape: Shape
    process: subprocess.Popen[bytes]
    ready_file: Path
    frozen: bool = False
    pids: set[int] = field(default_factory=set)
    """Of all processes that it has been seen with."""

    @property
    def ready(self) -> bool:
        """Whether it takes jobs."""
        return not self.frozen and self.process.poll() is None and self.ready_file.exists()

    @property
    def is_ours(self) -> bool:
        """Whether it uses our own pool."""
        return self.shape.pool == OURS

    def tree(self) -> list[psutil.Process]:
        """Its processes that live, the parent first, whoever the parents of the others are now."""
        tree = list(self._group())
        self.pids.update(process.pid for process in tree)
        return tree

    def _group(self) -> Iterator[psutil.Process]:
        for pid in psutil.pids():
            with suppress(ProcessLookupError, psutil.NoSuchProcess):
                if os.getpgid(pid) == self.process.pid:
                    process = psutil.Process(pid)
                    if process.status() != psutil.STATUS_ZOMBIE:
                        yield process

    def template(self) -> psutil.Process | None:
        """The process from which the others are forked: the last that the node has started."""
        with suppress(psutil.NoSuchProcess):
            if self.is_ours:
                forked = psutil.Process(self.process.pid).children()
                living = [each for each in forked if each.status() != psutil.STATUS_ZOMBIE]
                return max(living, key=lambda each: each.create_time(), default=None)
        return None

    def children(self) -> list[psutil.Process]:
        """Its processes that run jobs for the parent."""
        others = (self.process.pid, (self.template() or psutil.Process()).pid)
        return [process for process in self.tree() if process.pid not in others]

    def ports(self, server_port: int) -> set[int]:
        """The local ports of its connections to the server."""
        found = set()
        for process in self.tree():
            with suppress(psutil.NoSuchProcess):
                for each in process.net_connections("tcp"):
                    if each.raddr and each.raddr.port == server_port:
                        found.add(each.laddr.port)
        return found

    def signal(self, signum: int) -> None:
        """Send a signal to all its processes at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signum)

    def stop(self) -> None:
        """Freeze all its processes, and wait until they stand still."""
        self.signal(signal.SIGSTOP)
        for process in self.tree():
            stop_process(process)

    def kill(self) -> None:
        """End all its processes as ``kill -9`` does, and wait until they are gone."""
        self.signal(signal.SIGKILL)
        self.process.wait()
        while self.tree():
            time.sleep(0.001)


def stop_process(process: psutil.Process) -> None:
    """Freeze one process, and wait until it stands still."""
    with suppress(psutil.NoSuchProcess):
        process.suspend()
        while process.status() not in STILL:
            time.sleep(0.001)


def kill_process(process: psutil.Process) -> None:
    """End one process as ``kill -9`` does, and wait until it runs no more."""
    with suppress(psutil.NoSuchProcess):
        process.kill()
        while process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.001)


class Fleet:
    """One worker for each post; :meth:`tend` keeps it so."""

    def __init__(
        self, app: str, posts: Sequence[Post], folder: Path, env: Mapping[str, str]
    ) -> None:
        self._app = app
        self._folder = folder
        self._env = env
        self._generations: Counter[str] = Counter()
        self._killed: set[str] = set()
        self._orphaned: list[Member] = []
        self.complaints: list[str] = []
        """Workers that ended although nobody killed them, with their last words, or did not end."""
        self.members = {post.name: self._start(post) for post in posts}

    def tend(self) -> None:
        """Start again what has ended."""
        for name, member in self.members.items():
            if member.process.poll() is not None:
                if member.name not in self._killed:
                    self._ask_why(member)
                    member.kill()
                self.members[name] = self._start(member.post)

    def kill(self, member: Member) -> None:
        """Kill a worker; the next :meth:`tend` replaces it."""
        self._killed.add(member.name)
        member.kill()

    def kill_parent(self, member: Member) -> None:
        """Kill the parent of a worker alone; the next :meth:`tend` replaces it."""
        self._killed.add(member.name)
        self._orphaned.append(member)
        member.process.kill()
        member.process.wait()

    def stop(self) -> None:
        """End all workers, in peace if they can."""
        self._await(self._orphaned, LEAVES_WITHIN)
        members = list(self.members.values())
        for member in members:
            member.signal(signal.SIGCONT)
            member.process.terminate()
        deadline = time.monotonic() + STOPS_WITHIN
        for member in members:
            with suppress(subprocess.TimeoutExpired):
                member.process.wait(max(0.0, deadline - time.monotonic()))
        self._await(members, 1)

    def _await(self, members: Sequence[Member], seconds: float) -> None:
        """Wait until nothing is left of some workers; kill what is."""
        deadline = time.monotonic() + seconds
        for member in members:
            while (left := member.tree()) and time.monotonic() < deadline:
                member.process.poll()
                time.sleep(0.05)
            if left:
                pids = ", ".join(str(process.pid) for process in left)
                self.complaints.append(f"{member.name} did not end: {pids}; {self._words(member)}")
            member.kill()

    def _ask_why(self, member: Member) -> None:
        records = ledger.read(self._folder)
        deaths = (each for each in records if each.event == ledger.DIE)
        if member.process.pid not in {each.pid for each in deaths}:
            code, words = member.process.returncode, self._words(member)
            self.complaints.append(f"{member.name} ended by itself (exit code {code}); {words}")

    def _words(self, member: Member) -> str:
        lines = (self._folder / f"{member.name}.log").read_text(errors="replace").splitlines()
        return "its last line: " + next((line for line in reversed(lines) if line.strip()), "")

    def _start(self, post: Post) -> Member:
        shape = post.shapes[self._generations[post.name] % len(post.shapes)]
        self._generations[post.name] += 1
        name = f"{post.name}.{self._generations[post.name]}"
        start = self._ours if shape.pool == OURS else self._celerys
        argv = [*start(shape), "--queues", ",".join(post.queues)]
        argv += ["--hostname", f"{post.name}@chaos", "--loglevel", "WARNING"]
        argv += ["--without-mingle", "--without-gossip"]
        env = {"CHAOS_WRITER": name, "CELERY_WORKER_PREFETCH_MULTIPLIER": str(shape.prefetch)}
        process = self._launch(name, argv, env)
        return Member(name, post, shape, process, self._folder / f"{name}.ready")

    def _ours(self, shape: Shape) -> list[str]:
        program = str(Path(sys.executable).with_name("flaskiq"))
        size = ["--processes", str(shape.size), "--threads", str(shape.threads)]
        return [program, "--app", self._app, "worker", "start", *size]

    def _celerys(self, shape: Shape) -> list[str]:
        program = [sys.executable, "-m", "celery", "--app", self._app]
        return [*program, "worker", "--pool", shape.pool, "--concurrency", str(shape.size)]

    def _launch(
        self, name: str, argv: Sequence[str], env: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        with (self._folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - our program with our options
                argv,
                cwd=self._folder,
                env={**self._env, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
