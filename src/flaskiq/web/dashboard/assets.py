"""Assets: a style sheet and a script, at addresses that change when they do."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

from flask import Blueprint, Response, abort, url_for

TYPES = {"dashboard.css": "text/css", "dashboard.js": "text/javascript"}

YEAR = "public, max-age=31536000, immutable"


@cache
def _read(name: str) -> tuple[bytes, str]:
    content = (files(__package__) / "assets" / name).read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:12]


def address(name: str) -> str:
    """Return the URL of an asset."""
    return url_for("flaskiq.asset", version=_read(name)[1], name=name)


def _serve(version: str, name: str) -> Response:
    if name not in TYPES:
        abort(404)
    content, current = _read(name)
    response = Response(content, content_type=f"{TYPES[name]}; charset=utf-8")
    response.headers["Cache-Control"] = YEAR if version == current else "no-store"
    return response


def add(pages: Blueprint) -> None:
    """Add the route."""
    pages.add_url_rule("/assets/<version>/<name>", "asset", _serve)
