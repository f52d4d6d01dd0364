"""Flower: where it is, if it runs."""

from __future__ import annotations

import socket
from threading import Lock
from time import monotonic
from urllib.parse import urlsplit

from flaskiq import current

KEPT = 30.0
"""Seconds for which it is believed that it runs, or does not."""

PATIENCE = 0.2
"""Seconds that it has to answer."""

_seen: dict[str, tuple[float, bool]] = {}
_lock = Lock()


def address() -> str | None:
    """Return the URL of Flower, None if none is set or nobody listens there."""
    url: str | None = current.state().settings["FLOWER_URL"]
    if not url or not url.startswith(("http://", "https://")):
        return None
    with _lock:
        at, runs = _seen.get(url, (-KEPT, False))
        if monotonic() - at >= KEPT:
            runs = _answers(url)
            _seen[url] = (monotonic(), runs)
    return url if runs else None


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), PATIENCE):
            return True
    except OSError:
        return False
