"""Site: what is answered at each path."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from flaskiq.health.access import Access
from flaskiq.health.debug import Debug
from flaskiq.health.program import Program

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

logger = logging.getLogger(__name__)

METHODS = ("GET", "HEAD")

_REFUSED = (
    "only from this machine, or with HEALTH_TOKEN: Authorization: Bearer <token>, or ?token=<token>"
)

Answer = Callable[[], Response]


class Site:
    """A WSGI application."""

    def __init__(self, program: Program, debug: Debug, access: Access) -> None:
        self._program, self._access = program, access
        self._open: Mapping[str, Answer] = {
            "/": self._basic,
            "/ping": lambda: Response("pong\n", mimetype="text/plain"),
            "/health": self._health,
            "/health/basic": self._basic,
            "/health/live": lambda: self._verdict(program.live),
            "/health/ready": lambda: self._verdict(program.ready),
        }
        self._guarded: Mapping[str, Answer] = {
            "/debug": lambda: _json(debug.everything()),
            "/debug/env": lambda: _json(debug.environment()),
            "/debug/redis": lambda: _json(debug.redis()),
            "/debug/detailed": lambda: _json(debug.detailed()),
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        response = self._respond(Request(environ))
        response.headers["Cache-Control"] = "no-cache"
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        path = request.path.rstrip("/") or "/"
        answer = self._open.get(path) or self._guarded.get(path)
        if answer is None:
            return _json({"error": "Not found"}, HTTPStatus.NOT_FOUND)
        if request.method not in METHODS:
            refused = _json({"error": "Method not allowed"}, HTTPStatus.METHOD_NOT_ALLOWED)
            refused.headers["Allow"] = ", ".join(METHODS)
            return refused
        if path in self._guarded and not self._access.is_allowed(request):
            refused = _json({"error": f"Unauthorized: {_REFUSED}"}, HTTPStatus.UNAUTHORIZED)
            refused.headers["WWW-Authenticate"] = "Bearer"
            return refused
        try:
            return answer()
        except Exception as error:
            logger.exception("%s cannot be answered", path)
            return _json({"error": type(error).__name__}, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _basic(self) -> Response:
        return _json({"status": "healthy", "service": f"{self._program.service}-server"})

    def _health(self) -> Response:
        return self._verdict(tuple(self._program.looks))

    def _verdict(self, names: tuple[str, ...]) -> Response:
        found = self._program.examine(names)
        wrong = [f"{name}: {each.text}" for name, each in found.items() if not each.is_ok]
        told = {
            "status": "unhealthy" if wrong else "healthy",
            "service": self._program.service,
            "timestamp": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "reason": "; ".join(wrong) or None,
            "details": {name: each.text for name, each in found.items()},
        }
        return _json(told, HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK)


def _json(told: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Response:
    text = json.dumps(told, default=str) + "\n"
    return Response(text, status=int(status), mimetype="application/json")
