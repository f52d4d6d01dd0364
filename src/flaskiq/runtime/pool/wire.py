"""Wire: orders to a child and reports from it, as lines of JSON over a socket."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any


class Wire:
    """One end of it; sending never blocks, and nothing is said to somebody who is gone."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._socket.setblocking(False)
        self._unread, self._unsent = b"", b""
        self._sending = threading.Lock()
        self.is_closed = False

    def fileno(self) -> int:
        """The number of the socket, for ``select``; -1 once it is closed."""
        return self._socket.fileno()

    def send(self, told: dict[str, Any]) -> None:
        """Tell something; what the other end does not read yet is sent later."""
        self.push(json.dumps(told).encode() + b"\n")

    def push(self, more: bytes = b"") -> None:
        """Send what could not be sent before, and some more."""
        with self._sending:
            self._unsent += more
            try:
                while self._unsent:
                    self._unsent = self._unsent[self._socket.send(self._unsent) :]
            except BlockingIOError:
                return
            except OSError:  # who is gone is found out by reading
                self._unsent = b""

    def receive(self) -> list[dict[str, Any]]:
        """Return what was told and not read yet."""
        try:
            while data := self._socket.recv(65_536):
                self._unread += data
            self.is_closed = True
        except BlockingIOError:
            pass
        except OSError:
            self.is_closed = True
        *lines, self._unread = self._unread.split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Let go of the socket."""
        self.is_closed = True
        self._socket.close()
