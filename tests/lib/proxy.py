"""TCP proxies before a server: they lose replies, keep everybody out, or hide how new it is."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress


class Proxy:
    """Stands between clients and a server on loopback.

    Of the connections that send ``mark``, every ``every``-th such request is forwarded, and the
    connection is cut when the reply comes; without ``mark`` none is.
    """

    def __init__(self, port: int, mark: bytes | None = None, every: int = 1) -> None:
        self.cuts = 0
        self._lock = threading.Lock()
        self.mark, self._every, self._target = mark, every, port
        self._seen = 0
        self._links: list[_Link] = []
        self.port = 0
        self.come_back()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def close(self) -> None:
        """Accept no more connections."""
        self._closed.set()
        self._listener.close()
        self._thread.join()

    def go_away(self) -> None:
        """End all connections and refuse new ones, as when the server is down."""
        self.close()
        while self._links:
            self._links.pop().close()

    def come_back(self) -> None:
        """Accept connections, on the same port as before."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._listener.settimeout(0.05)
        self.port = int(self._listener.getsockname()[1])
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while not self._closed.is_set():
            with suppress(OSError):
                client, _ = self._listener.accept()
                client.setblocking(True)
                server = socket.create_connection(("127.0.0.1", self._target))
                self._links.append(_Link(self, client, server))

    def silence(self) -> None:
        """Let nothing pass through the connections that are open now, and leave them open."""
        for link in self._links:
            link.is_silent = True

    def is_to_cut(self, request: bytes) -> bool:
        """Whether the reply to this request gets lost."""
        if self.mark is None or self.mark not in request:
            return False
        with self._lock:
            self._seen += 1
            return self._seen % self._every == 0

    def alter(self, reply: bytes) -> bytes:
        """Return what the client is to read in place of a reply."""
        return reply

    def count(self) -> None:
        """Count a lost reply."""
        with self._lock:
            self.cuts += 1


class OldServer(Proxy):
    """Stands before a server and says that it is Redis 6.2."""

    def __init__(self, port: int) -> None:
        super().__init__(port, mark=b"", every=1)

    def is_to_cut(self, request: bytes) -> bool:
        return False

    def alter(self, reply: bytes) -> bytes:
        # As many bytes as before: the length of the text stands in front of it.
        return re.sub(
            rb"redis_version:([\d.]+)",
            lambda found: b"redis_version:6.2." + b"9" * (len(found[1]) - 4),
            reply,
        )


class _Link:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._cut = threading.Event()
        self.is_silent = False
        for pump in (self._requests, self._replies):
            threading.Thread(target=pump, daemon=True).start()

    def _requests(self) -> None:
        with suppress(OSError):
            while request := self._client.recv(1 << 16):
                if self.is_silent:
                    continue
                if self._proxy.is_to_cut(request):
                    self._cut.set()
                self._server.sendall(request)
        self.close()

    def _replies(self) -> None:
        with suppress(OSError):
            while reply := self._server.recv(1 << 16):
                if self.is_silent:
                    continue
                if self._cut.is_set():
                    self._proxy.count()
                    break
                self._client.sendall(self._proxy.alter(reply))
        self.close()

    def close(self) -> None:
        """End both of its connections."""
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
