"""Program: a running program that can tell how it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flaskiq.health.trouble import TroubleError

Look = Callable[[], str]
"""Says how something is, or raises :class:`TroubleError`."""


class Finding(NamedTuple):
    """What one look has found."""

    is_ok: bool
    text: str


@dataclass(frozen=True)
class Program:
    """``looks`` are all that there are, by name; ``live`` and ``ready`` name some of them.

    A program that is not live is to be restarted; one that is not ready does no work now.
    ``details`` are for whoever may debug it.
    """

    service: str
    app: str
    looks: Mapping[str, Look]
    live: tuple[str, ...]
    ready: tuple[str, ...]
    details: Callable[[], Mapping[str, Any]] = field(default=dict)

    def examine(self, names: Iterable[str] | None = None) -> dict[str, Finding]:
        """Look at some things, by default at all."""
        return {name: _look(self.looks[name]) for name in (names or self.looks)}


def _look(look: Look) -> Finding:
    try:
        return Finding(True, look())
    except TroubleError as trouble:
        return Finding(False, str(trouble))
