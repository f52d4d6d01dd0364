"""Finding: one thing that a check has found. Pure."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Level(Enum):
    """How bad a finding is, the worst first."""

    PROBLEM = "problem"
    """Jobs are or will be lost, or wait for ever."""
    WARNING = "warning"
    """It works until something else goes wrong."""
    INFO = "info"
    """Good to know; nothing has to be done."""
    OK = "ok"


class Finding(NamedTuple):
    """What is so, why it matters, and how to mend it: a command or a setting."""

    level: Level
    what: str
    why: str = ""
    mend: str = ""


def problem(what: str, why: str, mend: str) -> Finding:
    """Return a finding that makes ``flaskiq doctor`` fail."""
    return Finding(Level.PROBLEM, what, why, mend)


def warning(what: str, why: str, mend: str) -> Finding:
    """Return a finding that somebody should look at."""
    return Finding(Level.WARNING, what, why, mend)


def info(what: str, why: str, mend: str) -> Finding:
    """Return a finding that nobody has to act on."""
    return Finding(Level.INFO, what, why, mend)


def ok(what: str) -> Finding:
    """Return what was found to be right."""
    return Finding(Level.OK, what)
