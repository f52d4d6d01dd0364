"""Birth: what tells a process from any other that had its pid before or gets it later."""

from __future__ import annotations

from pathlib import Path

import psutil

PROC = Path("/proc")


def birth(pid: int) -> str | None:
    """Return when a process was started; None if there is none, or only its exit code is left.

    On Linux in clock ticks of this boot. psutil tells it by the wall clock, and when that is set,
    as after a laptop has slept, a process would seem to be another.
    """
    if not (PROC / "self" / "stat").exists():
        return _by_the_clock(pid)
    try:
        state, *fields = _stat(pid)
    except (FileNotFoundError, ProcessLookupError):
        return None
    boot = (PROC / "sys" / "kernel" / "random" / "boot_id").read_text().strip()
    return None if state in "ZX" else f"{boot}/{fields[18]}"


def _stat(pid: int) -> list[str]:
    """The fields of proc_pid_stat(5) from the third on: the name before may hold anything."""
    return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()


def _by_the_clock(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        is_zombie = process.status() == psutil.STATUS_ZOMBIE
        return None if is_zombie else repr(process.create_time())
    except psutil.NoSuchProcess:
        return None
