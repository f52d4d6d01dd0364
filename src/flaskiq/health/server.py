"""HealthServer: answers HTTP in threads, for as long as the program lives."""

from __future__ import annotations

import logging
import os
import socket
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from flaskiq.health.site import Site

logger = logging.getLogger(__name__)

RETRY = 5.0
"""Seconds between two tries for a port that another program has."""


class Handler(WSGIRequestHandler):
    """One request for each connection, and no line in the log: a probe comes every few seconds."""

    protocol_version = "HTTP/1.0"
    timeout = 5.0
    """Seconds that somebody may take to ask."""

    def version_string(self) -> str:
        """Return who answers, and no version."""
        return "Flaskiq"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Say nothing; what was asked may hold the token."""


class HealthServer:
    """Listens on ``address``; a port that is taken is tried again, and ends nothing."""

    def __init__(self, site: Site, address: str, port: int) -> None:
        self._site, self._address, self._port = site, address, port
        self._has_ended = threading.Event()
        self._server: BaseWSGIServer | None = None

    def start(self) -> None:
        """Listen, or warn that the port is taken."""
        error = self._listen()
        if error is not None:
            logger.warning(
                "Health cannot be told on port %d: %s. The program goes on, and tries again",
                self._port,
                error.strerror or error,
            )
        threading.Thread(target=self._serve, name="flaskiq-health", daemon=True).start()

    def stop(self) -> None:
        """Let go of the port."""
        self._has_ended.set()
        if self._server is not None:
            self._server.shutdown()

    def _listen(self) -> OSError | None:
        is_six = ":" in self._address
        try:
            listening = socket.create_server(
                (self._address, self._port),
                family=socket.AF_INET6 if is_six else socket.AF_INET,
                dualstack_ipv6=is_six and socket.has_dualstack_ipv6(),
            )
        except OSError as error:
            return error
        with listening:  # the server has its own copy
            self._server = make_server(
                self._address,
                self._port,
                self._site,
                threaded=True,
                request_handler=Handler,
                fd=listening.fileno(),
            )
        _servers.add(self._server)
        host = f"[{self._address}]" if is_six else self._address
        logger.info("Health is told at http://%s:%d", host, self._port)
        return None

    def _serve(self) -> None:
        while self._server is None and not self._has_ended.wait(RETRY):
            self._listen()
        if self._server is not None:
            self._server.serve_forever()  # until `shutdown`, which may have come before


_servers: WeakSet[BaseWSGIServer] = WeakSet()


def _let_go() -> None:
    """Leave the port to the parent: it would stay taken as long as a child lives."""
    for server in list(_servers):
        server.socket.close()


os.register_at_fork(after_in_child=_let_go)
