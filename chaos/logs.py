"""The logs of the workers: the tracebacks in them. A lost connection is worth one line, no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

_HEAD = "Traceback (most recent call last):"
_LINKS = ("During handling of the above exception", "The above exception was the direct cause")


def complaints(folder: Path) -> list[str]:
    """Return one line for each kind of traceback in each log."""
    found: Counter[tuple[str, str]] = Counter()
    for log in sorted(folder.glob("*.log")):
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        found.update((log.name, error) for error in _errors(lines))
    return [f"traceback in {log}, {number} x: {error}" for (log, error), number in found.items()]


def _errors(lines: Sequence[str]) -> Iterator[str]:
    """Yield what was logged with a traceback, and the last error of its chain."""
    said, error = "", ""
    for before, line in zip(("", *lines), lines, strict=False):
        if line.strip() == _HEAD and not before.startswith(_LINKS):
            if error:
                yield said + error
            said, error = before.rpartition("] ")[2] + ": ", "cut off"
        elif error and before.startswith("  ") and not line.startswith((" ", "[")):
            error = line
    if error:
        yield said + error
