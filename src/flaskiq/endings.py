"""How an attempt ends when ``perform`` says so itself, by raising one of these."""

from __future__ import annotations

from flaskiq import moments
from flaskiq.errors import ArgumentError
from flaskiq.moments import Delay


class Snooze(Exception):  # noqa: N818 - not an error
    """Wait, and then perform the same attempt again: it does not count as a failure.

    ``Snooze(30)`` waits 30 seconds, ``Snooze(timedelta(hours=1))`` an hour.

    Raises:
        ArgumentError: the delay is no number of seconds and no timedelta, or below 0.
    """

    def __init__(self, delay: Delay) -> None:
        self.delay = moments.span(delay, "Snooze").total_seconds()
        if self.delay < 0:
            raise ArgumentError(f"Snooze takes a delay of at least 0 seconds, not {delay!r}")
        # What a result or a pickle makes it anew from.
        super().__init__(self.delay)


class Kill(Exception):  # noqa: N818 - not an error
    """Send the job to the dead set at once, whatever attempts it has left."""


class Discard(Exception):  # noqa: N818 - not an error
    """End the job quietly: no further attempt, no place in the dead set, no error in the log.

    Its result is a failure that holds this exception, so that nobody waits for it in vain.
    """
