"""A cron expression as a schedule of Celery's, for ``celery beat``."""

from __future__ import annotations

import zoneinfo
from datetime import datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING

from celery.schedules import BaseSchedule, schedstate

from flaskiq.cron.expression import CronExpression
from flaskiq.errors import DefinitionError, did_you_mean

if TYPE_CHECKING:
    from celery import Celery


class CronSchedule(BaseSchedule):
    """Due at each slot of a cron expression.

    ::

        app.conf.beat_schedule = {
            "report": {"task": "workers.Report", "schedule": CronSchedule("0 2 * * *")},
        }

    Slots are instants, so no change of clocks shifts or repeats them; celery.schedules.crontab
    compares wall clocks (celery/celery#10107). A new entry first runs on its next slot. Slots
    missed while beat was down come due together, once, when it is back; with the setting
    ``beat_cron_starting_deadline``, in seconds, only if the latest of them is no older than that.

    A copy in beat's schedule file carries the words only, never the app.

    Args:
        expression: Five fields or a shorthand, see :class:`CronExpression`.
        zone: Name of an IANA time zone; None is the ``timezone`` of the Celery app.

    Raises:
        DefinitionError: the expression or the zone is not one.
    """

    def __init__(
        self, expression: str | CronExpression, zone: str | None = None, app: Celery | None = None
    ) -> None:
        super().__init__(app=app)
        if not isinstance(expression, CronExpression):
            expression = CronExpression(expression)
        if zone is not None:
            _zone(zone)
        self.expression = expression
        self.zone = zone

    def is_due(self, last_run_at: datetime) -> schedstate:
        """Return whether a slot has passed since ``last_run_at``, and the seconds until the next.

        A naive ``last_run_at`` is UTC, as for every schedule of Celery's.
        """
        now = self._utc_now()
        slot = self._next_after(last_run_at)
        if slot > now:
            return schedstate(is_due=False, next=(slot - now).total_seconds())
        next_in = (self._next_after(now) - now).total_seconds()
        return schedstate(is_due=self._in_time(now), next=next_in)

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        """Return the time until the first slot after ``last_run_at``; negative if it was missed."""
        return self._next_after(last_run_at) - self._utc_now()

    def _in_time(self, now: datetime) -> bool:
        seconds = self.app.conf.beat_cron_starting_deadline
        if seconds is None:
            return True
        # A slot exactly on the deadline is in time, and next_after() leaves out its own instant.
        deadline = now - timedelta(seconds=seconds, microseconds=1)
        return self._next_after(deadline) <= now

    def _next_after(self, instant: datetime) -> datetime:
        zone = self.app.timezone if self.zone is None else _zone(self.zone)
        return self.expression.next_after(self.maybe_make_aware(instant), zone)

    def _utc_now(self) -> datetime:
        return self.maybe_make_aware(self.now()).astimezone(timezone.utc)

    def __reduce__(self) -> tuple[type[CronSchedule], tuple[str, str | None]]:
        return type(self), (self.expression.text, self.zone)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CronSchedule):
            return NotImplemented
        return (self.expression, self.zone) == (other.expression, other.zone)

    def __hash__(self) -> int:
        return hash((self.expression, self.zone))

    def __repr__(self) -> str:
        return f"<cron: {self.expression}{f' {self.zone}' if self.zone else ''}>"


def _zone(name: str) -> tzinfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        hint = did_you_mean(str(name), zoneinfo.available_timezones())
        raise DefinitionError(
            f"unknown time zone {name!r}; write an IANA name such as 'Europe/Berlin'{hint}"
        ) from None
