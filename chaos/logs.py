"""The logs of the workers: errors that nobody has made happen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

EXPECTED = (
    "redis.exceptions.ConnectionError",
    "redis.exceptions.TimeoutError",
    "kombu.exceptions.OperationalError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "BrokenPipeError",
    "billiard.exceptions.WorkerLostError",
)
"""What a traceback may end with while connections are cut and processes killed."""

_HEAD = "Traceback (most recent call last):"


def complaints(folder: Path) -> list[str]:
    """Return one line for each kind of unexpected traceback."""
    found: Counter[tuple[str, str]] = Counter()
    for log in sorted(folder.glob("*.log")):
        for error in _errors(log.read_text(errors="replace").splitlines()):
            if not error.startswith(EXPECTED):
                found[log.name, error] += 1
    return [f"traceback in {log}, {number} x: {error}" for (log, error), number in found.items()]


def _errors(lines: list[str]) -> Iterator[str]:
    """Yield the line behind each traceback."""
    inside = False
    for line in lines:
        if line.strip() == _HEAD:
            inside = True
        elif inside and line and not line.startswith(" "):
            inside = False
            yield line
