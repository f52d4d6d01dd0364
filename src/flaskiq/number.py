"""Numbers as people say them, on the command line and in the dashboard. Pure."""

from __future__ import annotations


def jobs(number: int) -> str:
    """Return ``1 job`` or ``1,234 jobs``."""
    return f"{number:,} job{'' if number == 1 else 's'}"


def decimal(value: float | None) -> str:
    """Return a rate in as many digits as matter: ``0.25``, ``12.5``, ``1,234``."""
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 or value == 0 else f"{value:.2f}"


def duration(seconds: float | None) -> str:
    """Return a run time: ``3ms``, ``1.5s``, ``40s``, ``3.2m``."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.3g}ms"
    return f"{seconds:.3g}s" if seconds < 100 else f"{seconds / 60:,.1f}m"


def size(count: float) -> str:
    """Return an amount of memory: ``512K``, ``48M``, ``1.5G``."""
    for factor, unit in ((1 << 30, "G"), (1 << 20, "M")):
        if count >= factor:
            return f"{count / factor:.3g}{unit}"
    return f"{count / 1024:.0f}K"


def ago(seconds: float | None) -> str:
    """Return a span of time as people say it: ``0.4s``, ``12s``, ``3m``, ``5h``, ``2d``."""
    if seconds is None:
        return "-"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.1f}s" if seconds < 10 else f"{seconds:.0f}s"
