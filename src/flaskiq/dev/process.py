"""One process of ``flaskiq dev``."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Thread

from flaskiq.dev.commands import Command

# How to end a process, softest first, with the seconds that each step is given. Celery's worker
# finishes its jobs after SIGTERM, and after SIGQUIT puts them back into their queues.
STEPS = ((signal.SIGTERM, 8.0), (signal.SIGQUIT, 4.0), (signal.SIGKILL, 2.0))


class Process:
    """A command of the shell in a session of its own; ``write`` gets each line it prints."""

    def __init__(
        self, command: Command, environment: Mapping[str, str], write: Callable[[bytes], None]
    ) -> None:
        self._write = write
        self._step = 0
        self._ended = False
        self._deadline: float | None = None
        # The session keeps Ctrl-C away: a worker's children must not die before their jobs end.
        self._popen = subprocess.Popen(  # noqa: S602 - a Procfile is shell
            command.script,
            shell=True,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its group."""
        return self._popen.pid

    def stop(self) -> None:
        """Ask it to end; :meth:`poll` insists when the time for that is up."""
        if self._deadline is None:
            self.insist()

    def insist(self) -> None:
        """Take the next, harder step."""
        self._step += 1
        number, seconds = STEPS[min(self._step, len(STEPS)) - 1]
        self._deadline = time.monotonic() + seconds
        self._send(number)

    def kill(self) -> None:
        """End it at once, with its children."""
        self._send(signal.SIGKILL)

    def poll(self) -> int | None:
        """Return the exit code once it has ended with all its children, until then None.

        The code is that of a shell: 128 + n after signal n.
        """
        code = self._popen.poll()
        if code is None or (self._has_children() and not self._is_given_up()):
            self._hurry(ended=code is not None)
            return None
        self._reader.join(1)
        return code if code >= 0 else 128 - code

    def _hurry(self, *, ended: bool) -> None:
        if self._is_late():
            self.insist()
        elif ended and not self._ended:
            self._ended = True
            self._step = 0  # what it left behind is asked anew
            self.insist()

    def _is_late(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline

    def _is_given_up(self) -> bool:
        """Where no init reaps them, dead children stay in the group for ever."""
        return self._step >= len(STEPS) and self._is_late()

    def _send(self, number: signal.Signals) -> None:
        """Signal the process, which tells its children; what it leaves behind is told directly."""
        with suppress(ProcessLookupError, PermissionError):
            if self._popen.poll() is None and number != signal.SIGKILL:
                self._popen.send_signal(number)
            else:
                os.killpg(self.pid, number)

    def _has_children(self) -> bool:
        try:
            os.killpg(self.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _read(self) -> None:
        assert self._popen.stdout
        with self._popen.stdout as lines:
            for line in lines:
                self._write(line)
