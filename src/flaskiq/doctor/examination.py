"""Examination: all checks, one after the other, and what they have found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from flaskiq.doctor.checks import (
    acknowledgement,
    broker,
    clock,
    cron,
    dead_settings,
    limits,
    memory,
    names,
    persistence,
    queues,
    results,
    server,
    tls,
)
from flaskiq.doctor.finding import Finding, Level, warning
from flaskiq.doctor.patient import Patient
from flaskiq.settings import mask_url


class Check(NamedTuple):
    """A check, and whether it asks Redis."""

    name: str
    examine: Callable[[Patient], Iterator[Finding]]
    asks_redis: bool


CHECKS = (
    Check("broker", broker.examine, asks_redis=False),
    Check("server", server.examine, asks_redis=True),
    Check("memory", memory.examine, asks_redis=True),
    Check("persistence", persistence.examine, asks_redis=True),
    Check("clock", clock.examine, asks_redis=True),
    Check("queues", queues.examine, asks_redis=True),
    Check("cron", cron.examine, asks_redis=True),
    Check("names", names.examine, asks_redis=True),
    Check("limits", limits.examine, asks_redis=False),
    Check("acknowledgement", acknowledgement.examine, asks_redis=False),
    Check("results", results.examine, asks_redis=False),
    Check("tls", tls.examine, asks_redis=False),
    Check("settings", dead_settings.examine, asks_redis=False),
)
"""The broker first: those who ask it are left out if it does not answer."""


class Diagnosis(NamedTuple):
    """What was found, with the name of its check, and the checks that could not look."""

    findings: list[tuple[str, Finding]]
    skipped: list[str]

    def of(self, level: Level) -> list[tuple[str, Finding]]:
        """Return the findings of a level."""
        return [each for each in self.findings if each[1].level is level]


def examine(patient: Patient) -> Diagnosis:
    """Run every check that can run."""
    found: list[tuple[str, Finding]] = []
    skipped: list[str] = []
    for check in CHECKS:
        if check.asks_redis and any(name == "broker" and _is_bad(each) for name, each in found):
            skipped.append(check.name)
        else:
            found += [(check.name, each) for each in _findings(check, patient)]
    return Diagnosis(found, skipped)


def _is_bad(finding: Finding) -> bool:
    return finding.level is Level.PROBLEM


def _findings(check: Check, patient: Patient) -> Iterator[Finding]:
    """Run one check; where Redis denies it a command, the others go on."""
    try:
        yield from check.examine(patient)
    except broker.UNREACHABLE as error:
        yield warning(
            f"this could not be looked at: {mask_url(str(error))}",
            "A user with few rights (ACL), or a provider that denies a command.",
            "Allow it to the user of CELERY_BROKER_URL, or look by hand: docs/reliability.md",
        )
