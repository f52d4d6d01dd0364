"""Chords as text."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flaskiq.cli.output import facts, listed, moment, table
from flaskiq.number import ago

if TYPE_CHECKING:
    from flaskiq.chords import ChordRecord, Part
    from flaskiq.chords.repair import Step

HEADER = ("CHORD", "VERDICT", "DONE", "FAILED", "OF", "AGE", "BODY", "WHY")

EMPTY = "No chords are under way."

SHOWN = 20
"""Parts that are listed unless all are asked for."""


def counted(chords: Sequence[Any]) -> str:
    """Return ``1 chord`` or ``3 chords``."""
    return f"{len(chords):,} chord{'' if len(chords) == 1 else 's'}"


def chord_table(found: Sequence[ChordRecord]) -> str:
    """Return chords, a line each."""
    now = time.time()
    rows = [
        (
            each.id,
            str(each.verdict),
            each.done,
            each.failed,
            each.expected,
            ago(each.age(now)),
            each.body or "-",
            each.reason,
        )
        for each in found
    ]
    return table(HEADER, rows, EMPTY)


def chord_text(
    found: ChordRecord, acts: Sequence[Mapping[str, Any]], *, verbose: bool = False
) -> str:
    """Return one chord, with where each missing part is."""
    text = facts(_facts(found))
    parts = list(found.parts) if verbose else found.missing
    parts += [] if verbose else [each for each in found.parts if each.error]
    shown = parts if verbose else parts[:SHOWN]
    if shown:
        text += "\n\n" + table(("PART", "STATE", "WHERE", "WORKER"), map(_row, shown), "")
    if len(parts) > len(shown):
        text += f"\nand {len(parts) - len(shown)} more; --verbose shows them"
    if acts:
        rows = [(moment(act["at"]), act["act"], act["part"], act["detail"]) for act in acts]
        text += "\n\n" + table(("REPAIRED", "ACT", "PART", "WHY"), rows, "")
    return text


def step_text(steps: Sequence[Step], *, dry_run: bool) -> str:
    """Return what was done, or would be."""
    if not steps:
        return "  nothing to do"
    word = "would " if dry_run else ""
    return "\n".join(f"  {word}{step.act} {step.part} {step.detail}" for step in steps)


def _row(part: Part) -> tuple[str, str, str, str]:
    place = part.error or ("-" if part.place is None else str(part.place))
    return part.id, part.state, place, part.name or "-"


def _facts(found: ChordRecord) -> Iterator[tuple[str, Any]]:
    yield "id", found.id
    yield "verdict", f"{found.verdict}: {found.reason}"
    yield "body", found.body
    yield "body id", found.body_id
    yield "parts", f"{found.done} done, {found.failed} failed, of {found.expected or 'unknown'}"
    yield "missing", len(found.missing) + found.unknown or None
    yield "at once", found.limit
    yield "published", None if found.created_at is None else moment(found.created_at)
    yield "changed", None if found.changed_at is None else moment(found.changed_at)
    yield "tenant", listed(found.tenant)
    yield "registered", None if found.is_registered else "no: not published by this app"
