"""What commands print: one JSON document for scripts, or text for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import click

JSON = "flaskiq.json"
"""Where the context keeps that ``--json`` was given."""


def is_json(context: click.Context) -> bool:
    """Whether ``--json`` was given."""
    return bool(context.meta.get(JSON))


def show(context: click.Context, document: Any, text: Callable[[], str]) -> None:
    """Print ``document`` as JSON if that was asked for, else what ``text`` returns."""
    click.echo(json.dumps(document, default=str, indent=2) if is_json(context) else text())


def table(header: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> str:
    """Return rows in columns below a header; ``empty`` if there are none.

    Numbers are aligned to the right, and None is shown as ``-``.
    """
    rows = list(rows)
    if not rows:
        return empty
    columns = list(zip(*rows, strict=True))
    lines = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    right = [all(isinstance(value, (int, float, type(None))) for value in each) for each in columns]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def facts(pairs: Iterable[tuple[str, Any]]) -> str:
    """Return names and values, a line each; what is None or empty is left out."""
    lines = [(name, value) for name, value in pairs if value not in (None, "")]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in lines)


def listed(values: Mapping[str, Any]) -> str:
    """Return a mapping in one line: ``a=1, b=2``."""
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value).replace("\n", " ")


def moment(at: float | None) -> str:
    """Return a point in time, in seconds since the epoch, as local time."""
    if at is None:
        return "-"
    return datetime.fromtimestamp(at, timezone.utc).astimezone().isoformat(" ", "seconds")
