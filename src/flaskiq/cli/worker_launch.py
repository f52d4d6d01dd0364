"""WorkerLaunch: how a worker comes to be: in this process, in the place of another, or apart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import click
from celery.signals import worker_ready

from flaskiq.cli.birth import birth
from flaskiq.cli.pidfile import Pidfile
from flaskiq.cli.worker_options import WorkerOptions
from flaskiq.cli.worker_record import Record, Records
from flaskiq.runtime.pools import TEMPLATE

PROGRAM = Path(__file__).with_name("program") / "flaskiq_worker.py"

LOOK = 0.05
"""Seconds between two looks at a worker that starts."""

ENDS_WITHIN = 5.0
"""Seconds for a worker that has not become ready to end by itself."""

TAIL = 20
"""Lines of a log that are shown."""


@dataclass(frozen=True)
class WorkerLaunch:
    """Starts workers of one app; ``spec`` is how the app was named on the command line, if so."""

    spec: str | None
    records: Records

    @property
    def is_own_program(self) -> bool:
        """Whether a launch has started this process."""
        return sys.argv[0] == str(PROGRAM)

    def here(self, options: WorkerOptions) -> int:
        """Run a worker in this process until it ends, and return its exit code."""
        if TEMPLATE in os.environ:
            return options.run(options.name or "template")
        try:
            record = self._announce(options)
        except OSError as error:  # a read-only system, as in many containers
            click.echo(f"No record is kept, so only its name will find it: {error}", err=True)
            return options.run(options.name or self.records.unique_name())
        worker_ready.connect(lambda **_: self._is_ready(record), weak=False)
        try:
            code = options.run(record.name)
            self._return(record)
        finally:
            self.records.remove(record)
        return code

    def in_place(self, words: Sequence[str]) -> NoReturn:
        """Go on as another worker, with the pid, the terminal and the environment of this one."""
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(sys.executable, self._command(words))  # noqa: S606 - our own program

    def in_background(self, options: WorkerOptions, seconds: float) -> Record:
        """Start a worker that outlives this command, and return once it is ready.

        Raises:
            click.ClickException: it has not become ready; it does not run any more.
        """
        try:
            process, record, said = self._begin(options)
        except OSError as error:
            raise click.ClickException(
                f"No worker can run in the background here: {error}. Start it in a folder that "
                "can be written to, with a --pidfile and a --logfile that can be."
            ) from None
        try:
            self._await(process, record, said, seconds)
        except BaseException:
            _end(process)
            self.records.remove(record)
            raise
        return record

    def ask_to_return(self, record: Record, options: WorkerOptions) -> None:
        """Tell a worker to end, and to start again in its own place with these options."""
        with self.records.alone():
            successor = tuple(options.words())
            self.records.keep(replace(record, successor=successor, is_ready=False))
        record.stop()

    def _return(self, record: Record) -> None:
        """Start again in place of the worker that has ended, if it was told so."""
        current = self.records.get(record.name)
        if current and current.successor is not None:
            self.in_place(current.successor)

    def _announce(self, options: WorkerOptions) -> Record:
        """Keep a record of this process. Whoever has started it, or was it before, may have one."""
        with self.records.alone():
            expected = self.records.get(options.name) if options.name else None
            if expected and expected.is_of(os.getpid()):
                record = replace(expected, options=options.typed, successor=None, is_ready=False)
            else:
                record = self._claim(options)
            return self._keep(record)

    def _claim(self, options: WorkerOptions) -> Record:
        """Return a record of this process, if nobody else has its name or its pidfile."""
        name = options.name or self.records.free_name()
        self.records.check_free(name)
        pidfile, logfile = (options.path(each, name) for each in ("pidfile", "logfile"))
        if pidfile:
            Pidfile(pidfile).check_free()
        return replace(
            self.records.new(name, options.typed),
            pidfile=pidfile,
            logfile=logfile,
        )

    def _keep(self, record: Record) -> Record:
        self.records.keep(record)
        if record.pidfile:
            Pidfile(record.pidfile).write(record.pid)
        return record

    def _is_ready(self, record: Record) -> None:
        with self.records.alone():
            current = self.records.get(record.name)
            if current:
                self.records.keep(replace(current, is_ready=True))

    def _begin(self, options: WorkerOptions) -> tuple[subprocess.Popen[bytes], Record, int]:
        """Start the process; return also how much its log held before."""
        with self.records.alone():
            claimed = self._claim(options)
            pidfile = claimed.pidfile or str(self.records.path(claimed.name, ".pid"))
            logfile = claimed.logfile or str(self.records.path(claimed.name, ".log"))
            files = [f"--pidfile={pidfile}", f"--logfile={logfile}"]
            with Path(logfile).open("ab") as log:
                said = log.tell()
                process = subprocess.Popen(  # noqa: S603 - our own program
                    self._command([*options.words(), f"--hostname={claimed.name}", *files]),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            # It waits for the lock, and finds itself expected.
            record = replace(
                claimed,
                pid=process.pid,
                birth=birth(process.pid),
                is_detached=True,
                pidfile=pidfile,
                logfile=logfile,
            )
            return process, self._keep(record), said

    def _await(
        self, process: subprocess.Popen[bytes], record: Record, said: int, seconds: float
    ) -> None:
        deadline = time.monotonic() + seconds
        while not self._has_become_ready(record):
            code = process.poll()
            if code is not None:
                _fail(record, f"has ended with exit code {code}", said)
            if time.monotonic() > deadline:
                _fail(record, f"was not ready within {seconds:g} s (--timeout), so it ends", said)
            time.sleep(LOOK)

    def _has_become_ready(self, record: Record) -> bool:
        current = self.records.get(record.name)
        return current is not None and current.is_ready

    def _command(self, words: Sequence[str]) -> list[str]:
        app = ["--app", self.spec] if self.spec else []
        return [sys.executable, str(PROGRAM), *app, "worker", "start", *words]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a worker that has no jobs yet."""
    process.terminate()
    try:
        process.wait(ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _fail(record: Record, what: str, said: int) -> NoReturn:
    with Path(str(record.logfile)).open(errors="replace") as log:
        log.seek(said)
        tail = "\n".join(log.read().splitlines()[-TAIL:])
    raise click.ClickException(f"{record} {what}. The end of {record.logfile}:\n{tail}")
