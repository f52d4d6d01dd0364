"""The fleet: workers that are started again whenever they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from chaos.posts import POSTS, Post

ROOT = Path(__file__).parents[1]
STOPS_WITHIN = 20
STILL = (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)


@dataclass
class Member:
    """One worker, alive or dead. Its name is that of its post and its generation."""

    name: str
    post: Post
    process: subprocess.Popen[bytes]
    ready_file: Path
    frozen: bool = False

    @property
    def ready(self) -> bool:
        """Whether it takes jobs."""
        return not self.frozen and self.process.poll() is None and self.ready_file.exists()

    def tree(self) -> list[psutil.Process]:
        """Its processes, the parent first."""
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def children(self) -> list[psutil.Process]:
        """Its processes except the parent."""
        return self.tree()[1:]

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
            with suppress(psutil.NoSuchProcess):
                while process.status() not in STILL:
                    time.sleep(0.001)

    def kill(self) -> None:
        """End all its processes as ``kill -9`` does, and wait until they are gone."""
        tree = self.tree()
        self.signal(signal.SIGKILL)
        self.process.wait()
        for process in tree:  # one that has left the process group
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(tree, timeout=STOPS_WITHIN)


def kill_process(process: psutil.Process) -> None:
    """End one process as ``kill -9`` does, and wait until it runs no more."""
    with suppress(psutil.NoSuchProcess):
        process.kill()
        while process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.001)


class Fleet:
    """One worker for each post; :meth:`tend` keeps it so."""

    def __init__(self, app: str, folder: Path, env: Mapping[str, str]) -> None:
        self._app = app
        self._folder = folder
        self._env = env
        self._generations: Counter[str] = Counter()
        self.ended_alone: list[str] = []
        """Workers that nobody killed, with their exit codes and the last line that they logged."""
        self._killed: set[str] = set()
        self.members = {post.name: self._start(post) for post in POSTS}

    def tend(self) -> None:
        """Start again what has ended."""
        for name, member in self.members.items():
            if member.process.poll() is not None:
                if member.name not in self._killed:
                    code, last_words = member.process.returncode, self._last_words(member)
                    self.ended_alone.append(f"{member.name} (exit code {code}): {last_words}")
                    member.kill()
                self.members[name] = self._start(member.post)

    def kill(self, member: Member) -> None:
        """Kill a worker; the next :meth:`tend` replaces it."""
        self._killed.add(member.name)
        member.kill()

    def stop(self) -> None:
        """End all workers, in peace if they can."""
        for member in self.members.values():
            member.signal(signal.SIGCONT)
            member.process.terminate()
        deadline = time.monotonic() + STOPS_WITHIN
        for member in self.members.values():
            with suppress(subprocess.TimeoutExpired):
                member.process.wait(max(0.0, deadline - time.monotonic()))
            member.kill()

    def _last_words(self, member: Member) -> str:
        lines = (self._folder / f"{member.name}.log").read_text(errors="replace").splitlines()
        return next((line for line in reversed(lines) if line.strip()), "")

    def _start(self, post: Post) -> Member:
        pool = post.pools[self._generations[post.name] % len(post.pools)]
        self._generations[post.name] += 1
        name = f"{post.name}.{self._generations[post.name]}"
        options = {
            "--pool": pool,
            "--concurrency": str(post.concurrency),
            "--queues": ",".join(post.queues),
            "--hostname": f"{post.name}@chaos",
            "--loglevel": "WARNING",
        }
        argv = [sys.executable, "-m", "celery", "-A", self._app, "worker"]
        argv += [part for option in options.items() for part in option]
        argv += ["--without-mingle", "--without-gossip"]
        return Member(name, post, self._launch(name, argv), self._folder / f"{name}.ready")

    def _launch(self, name: str, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        with (self._folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - our program with our options
                argv,
                cwd=self._folder,
                env={**self._env, "CHAOS_WRITER": name},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
