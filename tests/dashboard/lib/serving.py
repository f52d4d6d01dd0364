"""A WSGI application that is served on loopback, as long as it is wanted."""

from __future__ import annotations

import threading
from typing import Any

from servers import free_port
from werkzeug.serving import make_server


class Web:
    """The web server of a test; ``host`` names the site that a browser takes it for."""

    def __init__(self, app: Any, host: str = "127.0.0.1") -> None:
        self._app = app
        self._port = free_port()
        self.url = f"http://{host}:{self._port}"
        self.start()

    def start(self) -> None:
        """Serve, on the same port as before a :meth:`stop`."""
        self._server = make_server("127.0.0.1", self._port, self._app, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        """Let nobody reach it any more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
