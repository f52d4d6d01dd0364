"""What the processes print, each line with its time and the name of its process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from threading import Lock

from honcho.colour import get_colours
from honcho.printer import Message, Printer

SYSTEM = "flaskiq"


class Output:
    """The terminal, shared by the readers of all processes; ``on_closed`` is called if it goes."""

    def __init__(self, names: Sequence[str], on_closed: Callable[[], None]) -> None:
        self._printer = Printer(sys.stdout, width=max(map(len, (SYSTEM, *names))))
        self._colours = dict(zip(names, get_colours(), strict=False))
        self._on_closed = on_closed
        self._lock = Lock()

    def writer(self, name: str) -> Callable[[bytes], None]:
        """Return what prints a line of the process ``name``."""
        return partial(self._print, name)

    def say(self, text: str) -> None:
        """Print a line of our own."""
        self._print(SYSTEM, text.encode())

    def _print(self, name: str, line: bytes) -> None:
        message = Message("line", line, datetime.now(), name, self._colours.get(name))
        try:
            with self._lock:
                self._printer.write(message)
        except OSError:  # a closed terminal or pipe
            self._on_closed()
