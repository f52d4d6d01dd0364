"""Whether Redis may throw jobs away, or is about to refuse them."""

from __future__ import annotations

from collections.abc import Iterator

from flaskiq.doctor.finding import Finding, ok, problem, warning
from flaskiq.doctor.patient import Patient

NEARLY_FULL = 0.9
"""Share of ``maxmemory``."""

MEGABYTE = 1 << 20


def examine(patient: Patient) -> Iterator[Finding]:
    """Look at the eviction policy and at the memory in use; INFO has both, CONFIG may be denied."""
    policy = str(patient.info.get("maxmemory_policy", "unknown"))
    limit = int(patient.info.get("maxmemory", 0))
    used = int(patient.info.get("used_memory", 0))
    if policy == "noeviction":
        yield ok("maxmemory-policy is noeviction")
    else:
        yield problem(
            f"maxmemory-policy is {policy}",
            "Redis throws jobs, heartbeats and results away when its memory is full"
            f"{'' if limit else ' (today maxmemory is 0: no limit)'}.",
            "redis-cli CONFIG SET maxmemory-policy noeviction && redis-cli CONFIG REWRITE",
        )
    if limit and used > limit * NEARLY_FULL:
        yield warning(
            f"{used / limit:.0%} of the memory is in use: {used / MEGABYTE:.1f} of "
            f"{limit / MEGABYTE:.1f} MB",
            "A full server refuses new jobs: perform_async raises.",
            "Raise maxmemory (redis-cli CONFIG SET maxmemory <bytes>), or find out what fills it: "
            "redis-cli --bigkeys",
        )
