"""The settings of an app as the doctor shows them: value and source, and nothing secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from flaskiq.doctor.patient import Patient
from flaskiq.settings import TABLE, mask_url

MASK = "***"

_SECRET = re.compile(r"pass|pwd|secret|token|credential|auth|cookie|key", re.IGNORECASE)


class Shown(NamedTuple):
    """One row; ``value`` is fit for JSON."""

    name: str
    value: Any
    source: str


def shown(patient: Patient) -> list[Shown]:
    """Return every setting of the table."""
    settings = patient.settings
    return [
        Shown(row.name, _masked(row.name, settings[row.name]), settings.sources[row.name])
        for row in TABLE
    ]


def _masked(name: str, value: Any) -> Any:
    if isinstance(value, (bool, int, float, type(None))):
        return value
    if _SECRET.search(name):
        return MASK
    if isinstance(value, Mapping):
        return {str(key): _inner(str(key), each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask_url(str(each)) for each in value]
    return mask_url(str(value))


def _inner(name: str, value: Any) -> Any:
    """The CELERY dict may hold anything, in any depth: what is in its containers is not shown."""
    if isinstance(value, (Mapping, list, tuple, set)):
        return f"{len(value)} entries"
    return _masked(name, value)


def as_text(value: Any) -> str:
    """Return a shown value as one would write it into the environment."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, dict):
        return ",".join(f"{name}={each}" for name, each in value.items())
    return str(value)
