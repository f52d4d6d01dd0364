"""MetricsServer: answers Prometheus over HTTP, each request in a thread of its own."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, NamedTuple
from weakref import WeakSet

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

logger = logging.getLogger(__name__)

PORT = 9540
"""Where the exporter listens, unless it is told otherwise."""

PATIENCE = 10.0
"""Seconds that somebody has for sending a request, and for reading the answer."""

TEXT = "text/plain; charset=utf-8"


class Answer(NamedTuple):
    """What is answered."""

    status: int
    content_type: str
    body: bytes


class MetricsServer:
    """Listens from the moment it is made: ``GET`` and ``HEAD`` of ``/metrics`` and of ``/ping``.

    ``address`` may be one of IPv6.

    Raises:
        OSError: the port is taken, or the address is none of this machine.
    """

    def __init__(self, address: str, port: int, registry: CollectorRegistry) -> None:
        self._server = _Server(address, port, registry)
        self._thread = threading.Thread(target=self.serve, name="flaskiq-metrics", daemon=True)
        shown = f"[{address}]" if ":" in address else address
        self.url = f"http://{shown}:{port}/metrics"
        _servers.add(self)

    def start(self) -> None:
        """Answer from a thread."""
        self._thread.start()

    def serve(self) -> None:
        """Answer until it is closed."""
        self._server.serve_forever()

    def close(self) -> None:
        """Answer no more, after :meth:`start`."""
        self._server.shutdown()
        self.let_go()

    def let_go(self) -> None:
        """Let go of the socket."""
        self._server.server_close()


_servers: WeakSet[MetricsServer] = WeakSet()


def _let_go() -> None:
    """A child that was forked would keep the port when its parent is killed."""
    for server in list(_servers):
        server._server.socket.close()  # noqa: SLF001 - of this module


os.register_at_fork(after_in_child=_let_go)


class _Server(ThreadingMixIn, TCPServer):
    allow_reuse_address = True  # of those who are gone; not of those who listen
    daemon_threads = True

    def __init__(self, address: str, port: int, registry: CollectorRegistry) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.registry = registry
        super().__init__((address, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Say little of those who leave before they are answered."""
        logger.debug("A request from %s was cut off", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "flaskiq", ""
    timeout = PATIENCE

    def do_GET(self) -> None:
        self._send(self._answer(), with_body=True)

    def do_HEAD(self) -> None:
        self._send(self._answer(), with_body=False)

    def _answer(self) -> Answer:
        path = self.path.partition("?")[0].rstrip("/")
        pages: dict[str, Callable[[], Answer]] = {"/metrics": self._metrics, "/ping": self._pong}
        if path not in pages:
            return Answer(404, TEXT, b"there are /metrics and /ping\n")
        try:
            return pages[path]()
        except Exception:
            # Prometheus is told, and the next scrape may find what this one did not.
            logger.exception("The metrics cannot be told")
            return Answer(500, TEXT, b"the log says what is wrong\n")

    def _metrics(self) -> Answer:
        encode, content_type = choose_encoder(self.headers.get("Accept") or "")
        return Answer(200, content_type, encode(self.server.registry))

    def _pong(self) -> Answer:
        return Answer(200, TEXT, b"pong\n")

    def _send(self, answer: Answer, *, with_body: bool) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as http.server names it
        logger.debug(format, *args)
