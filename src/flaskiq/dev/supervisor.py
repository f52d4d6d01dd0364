"""Runs the processes of ``flaskiq dev``: one ends, all end; the code changes, they restart.

honcho's own Manager would do for less. It signals whole process groups, which kills a worker's
children in the middle of their jobs, kills after five seconds, cannot restart one process, and
breaks on a Ctrl-C in its first moment (2.0.0: ``KeyError: 'pid'``).
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread

from flaskiq.dev.changes import changes
from flaskiq.dev.commands import Command
from flaskiq.dev.output import Output
from flaskiq.dev.process import Process

ROUND = 0.1  # seconds between two looks at the processes
PATIENCE = 3.0  # seconds for the watch over the files to begin, which looks at all folders

Action = Callable[[], None]


def ending_signals() -> list[signal.Signals]:
    """Return the signals that end us; SIGHUP is none of them under ``nohup``."""
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    return signals


class Supervisor:
    """The processes of one ``flaskiq dev``, from start to end."""

    def __init__(
        self, commands: Sequence[Command], environment: Mapping[str, str], *, reload: bool
    ) -> None:
        self._commands = commands
        self._environment = environment
        self._reload = reload
        # Whatever happens elsewhere (signals, threads) is put here, and done in the main thread.
        self._events: SimpleQueue[Action] = SimpleQueue()
        self._output = Output(
            [command.name for command in commands], lambda: self._events.put(self._stop)
        )
        self._running: dict[str, Process] = {}
        self._restarting: set[str] = set()
        self._reloaded = False
        self._stopping = False
        self._code = 0
        self._done = Event()
        self._watcher = Thread(target=self._watch, daemon=True)
        self._watches = Event()

    def run(self, seconds: float = math.inf) -> int:
        """Run until a signal comes, a process ends, or for so many seconds.

        Return 0, or the exit code of the process that ended.
        """
        deadline = time.monotonic() + seconds
        with self._signals():
            try:
                self._start()
                while self._running or not self._stopping:
                    self._handle_events()
                    self._tend()
                    if time.monotonic() > deadline and not self._stopping:
                        self._output.say(f"{seconds:g} s are over; stopping")
                        self._stop()
            finally:
                self._leave_nothing()
        return self._code

    def _start(self) -> None:
        if self._reload and any(command.reloads for command in self._commands):
            self._watcher.start()
            self._watches.wait(PATIENCE)  # what changes from here on is not what they read
        for command in self._commands:
            self._launch(command)

    def _launch(self, command: Command) -> None:
        process = Process(command, self._environment, self._output.writer(command.name))
        self._running[command.name] = process
        self._output.say(f"{command.name} started (pid {process.pid})")

    def _handle_events(self) -> None:
        try:
            self._events.get(timeout=ROUND)()
        except Empty:
            return

    def _tend(self) -> None:
        for command in self._commands:
            process = self._running.get(command.name)
            code = process.poll() if process else None
            if code is not None:
                del self._running[command.name]
                self._ended(command, code)

    def _ended(self, command: Command, code: int) -> None:
        restarting = command.name in self._restarting
        self._restarting.discard(command.name)
        if self._stopping:
            self._output.say(f"{command.name} ended")
        elif restarting:
            self._launch(command)
        elif self._reloaded and command.reloads:
            # The change that broke it is one save away from the change that mends it.
            self._output.say(f"{command.name} ended (exit code {code}); waiting for a change")
        else:
            self._output.say(f"{command.name} ended (exit code {code}); stopping the others")
            self._code = code
            self._stop()

    def _restart(self, files: Sequence[str]) -> None:
        if self._stopping:
            return
        self._reloaded = True
        self._output.say(f"{', '.join(files)} changed; restarting")
        for command in self._commands:
            if not command.reloads:
                continue
            if command.name in self._running:
                self._restarting.add(command.name)
                self._running[command.name].stop()
            else:
                self._launch(command)

    def _stop(self) -> None:
        self._stopping = True
        for process in self._running.values():
            process.stop()

    def _interrupt(self) -> None:
        """End all; the second time do not wait for running jobs any more."""
        if self._stopping:
            for process in self._running.values():
                process.insist()
            return
        self._output.say("stopping; Ctrl-C again does not wait for running jobs")
        self._stop()

    def _leave_nothing(self) -> None:
        """After an error of our own, too."""
        self._done.set()
        for process in self._running.values():
            process.kill()
        if self._watcher.is_alive():
            self._watcher.join()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        before = {number: signal.getsignal(number) for number in ending_signals()}
        for number in before:
            signal.signal(number, lambda *_: self._events.put(self._interrupt))
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _watch(self) -> None:
        """Turn changes of files into events; runs in a thread of its own."""
        try:
            for files in changes(Path.cwd(), self._done):
                self._watches.set()
                if files:
                    self._events.put(partial(self._restart, files))
        except OSError as error:  # for example, too many folders to watch
            self._output.say(f"no restart on changes: {error}")
            self._watches.set()
