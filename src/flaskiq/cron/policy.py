"""Policy: what becomes of slots that were missed, or come while a job still runs. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

CatchUp = Literal["skip", "once", "all"]
Overlap = Literal["allow", "skip"]

CATCH_UPS: tuple[str, ...] = get_args(CatchUp)
OVERLAPS: tuple[str, ...] = get_args(Overlap)

LATE = 20.0
"""Seconds for which a slot is on time: within them another scheduler takes over."""


class Policy(NamedTuple):
    """What happens to an entry.

    ``catch_up``: of the slots missed while no scheduler ran, none is enqueued (``skip``), the
    latest (``once``), or each (``all``) up to the latest ``limit``. ``overlap``: whether a slot is
    enqueued while the job of an earlier one is not over. ``jitter``: seconds within which each slot
    is put off, always by the same for the same slot.
    """

    catch_up: CatchUp = "once"
    limit: int = 100
    overlap: Overlap = "allow"
    jitter: float = 0.0


USUAL = Policy()
