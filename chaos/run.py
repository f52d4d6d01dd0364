"""One run: jobs and faults side by side, until nothing is pending, then the account."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from chaos import ledger, logs
from chaos.account import Account
from chaos.contestants import CONTESTANTS, Contestant
from chaos.faults import Faults, poisonings
from chaos.fleet import ROOT, Fleet
from chaos.injector import MOST_TRAPPED, Injector
from chaos.posts import TRAP
from chaos.server import Server

PROBES = 4
"""Jobs that are sent to each worker at the end: all must still take jobs."""

QUIET = 4
"""Seconds without a record, more than a job lasts, after which all may be over."""

SETTLES_WITHIN = 600
"""Seconds after the last fault in which all must be over."""


def probes(contestant: Contestant) -> int:
    """How many jobs are kept for the end."""
    return PROBES * len(contestant.fleet)


@dataclass(frozen=True)
class Plan:
    """What a run is; ``ttl`` is the heartbeat's in seconds."""

    contestant: str
    jobs: int
    faults: int
    kinds: Sequence[str]
    seed: int
    ttl: int


class Producer:
    """The process that pushes; told by its standard input."""

    def __init__(self, name: str, folder: Path, env: dict[str, str]) -> None:
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chaos.workload.producer"],
                cwd=folder,
                env={**env, "CHAOS_WRITER": name},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
                bufsize=1,
            )

    def push(self, first: int, last: int, queue: str = "") -> None:
        """Tell it to push the jobs ``first`` to ``last`` - 1."""
        if self._process.poll() is not None:
            raise RuntimeError(f"the producer has ended; see {self._log}")
        assert self._process.stdin
        self._process.stdin.write(f"{first} {last} {queue}\n")

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin
        self._process.stdin.close()


class Run:
    """``folder`` keeps the ledgers, the logs and the server's data."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan = plan
        self._folder = folder
        self._contestant = CONTESTANTS[plan.contestant]
        self._chance = random.Random(plan.seed)  # noqa: S311 - the same again for the same seed
        self._pushed = 0

    def __call__(self) -> Account:
        """Run, and return the account."""
        with ExitStack() as stack:
            self._server = Server(self._folder)
            stack.callback(self._server.kill)
            self._server.start()
            env = self._environ()
            self._producer = Producer("producer", self._folder, env)
            stack.callback(self._producer.stop)
            self._second_producer = Producer("second-producer", self._folder, env)
            stack.callback(self._second_producer.stop)
            app, posts = self._contestant.app, self._contestant.fleet
            fleet = Fleet(f"{app}:celery_app", posts, self._folder, env)
            stack.callback(fleet.stop)
            self._injector = Injector(
                self._server,
                fleet,
                self._chance,
                self._plan.ttl,
                partial(self._push_to, TRAP),
                self._contestant.waits,
            )
            self._strike()
            stuck = self._settle()
            dead = self._contestant.dead(self._server.client)
        records = ledger.read(self._folder)
        faults = Faults([*self._injector.done, *poisonings(records)])
        complaints = [*fleet.complaints, *logs.complaints(self._folder)]
        if not self._contestant.answers:
            for each in complaints:
                click.echo(f"of no account: {each}")
            complaints = []
        return Account.draw_up(
            self._plan.jobs, records, faults, stuck=stuck, dead=dead, complaints=complaints
        )

    def _environ(self) -> dict[str, str]:
        ours = ("CELERY_", "FLASKIQ_", "FLASK_", "BROKER_", "CHAOS_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {
            **inherited,
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src"))),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CELERY_BROKER_URL": self._server.url,
            "FLASKIQ_HEARTBEAT_TTL": str(self._plan.ttl),
            "CHAOS_APP": self._contestant.app,
            "CHAOS_FOLDER": str(self._folder),
            "CHAOS_SEED": str(self._plan.seed),
            "CHAOS_POISON": "yes" if self._contestant.poison else "",
            **self._contestant.env,
        }

    def _strike(self) -> None:
        """Spread the jobs over the faults, so that each hits a system at work."""
        kinds = self._kinds()
        started = time.monotonic()
        for place, kind in enumerate(kinds, 1):
            self._push_until(self._share(place, len(kinds)))
            self._injector.pause(self._chance.uniform(0.3, 3))
            self._injector.inject(kind)
            click.echo(f"{time.monotonic() - started:6.1f} s  {place:3}/{len(kinds)}  {kind}")
        self._push_until(self._plan.jobs - self._probes)
        self._injector.finish()
        for post in self._contestant.fleet:
            self._push_to(post.name, PROBES)

    def _kinds(self) -> list[str]:
        """Every kind equally often, in an order by chance."""
        plan = self._plan
        kinds = [plan.kinds[place % len(plan.kinds)] for place in range(plan.faults)]
        self._chance.shuffle(kinds)
        return kinds

    def _share(self, place: int, of: int) -> int:
        """The number of jobs that are pushed before a fault; the rest is kept for traps."""
        return (self._plan.jobs - self._probes - MOST_TRAPPED * of) * place // of

    def _push_until(self, last: int) -> None:
        if last > self._pushed:
            self._producer.push(self._pushed, last)
            self._pushed = last

    @property
    def _probes(self) -> int:
        return probes(self._contestant)

    def _push_to(self, post: str, count: int) -> None:
        """Push jobs that only the worker of ``post`` serves."""
        self._second_producer.push(self._pushed, self._pushed + count, post)
        self._pushed += count

    def _settle(self) -> dict[str, int]:
        """Wait until nothing is pending, or nothing moves any more; return what is pending."""
        deadline = time.monotonic() + SETTLES_WITHIN
        seen, since = -1, time.monotonic()
        while (now := time.monotonic()) < min(deadline, since + self._contestant.patience):
            self._injector.pause(0.5)
            size = ledger.size(self._folder)
            if size != seen:
                seen, since = size, now
            elif now - since > QUIET:
                if not self._pending():
                    break
                self._contestant.hasten(self._server.client)
        return self._pending()

    def _pending(self) -> dict[str, int]:
        counts = self._contestant.pending(self._server.client)
        return {place: count for place, count in counts.items() if count}
