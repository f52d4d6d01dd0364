"""Whether this host and the server agree on what time it is."""

from __future__ import annotations

from collections.abc import Iterator

from flaskiq.doctor.finding import Finding, ok, problem, warning
from flaskiq.doctor.patient import Patient

NOTICED = 1.0
"""Seconds; hosts that are kept in time differ by thousandths."""

GRAVE = 30.0
"""Seconds; longer than most first retries wait."""


def examine(patient: Patient) -> Iterator[Finding]:
    """Ask the server for its time, and compare; what the way there takes is allowed for."""
    before = patient.clock()
    theirs = patient.store.now()
    after = patient.clock()
    ahead = theirs - (before + after) / 2
    apart = abs(ahead) - (after - before) / 2
    if apart <= NOTICED:
        yield ok("the clocks of this host and of the server agree")
        return
    find = problem if apart > GRAVE else warning
    yield find(
        f"the server's clock is {abs(ahead):,.1f} s {'ahead of' if ahead > 0 else 'behind'} that "
        "of this host",
        "Whoever enqueues says when a job is due, and the server decides whether it is: jobs with "
        f"a time, retries and cron slots start {abs(ahead):,.1f} s too "
        f"{'early' if ahead > 0 else 'late'}.",
        "Keep both in time with NTP: timedatectl set-ntp true",
    )
