"""A cron expression as a schedule of Celery's, for Flaskiq's scheduler and for Celery's own."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from celery.schedules import BaseSchedule, schedstate

from flaskiq.cron.expression import CronExpression, time_zone
from flaskiq.cron.owner import ASK_AGAIN, is_left_to_celery
from flaskiq.cron.policy import USUAL, Policy

if TYPE_CHECKING:
    from celery import Celery


class CronSchedule(BaseSchedule):
    """Due at each slot of a cron expression.

    ::

        app.conf.beat_schedule = {
            "report": {"task": "workers.Report", "schedule": CronSchedule("0 2 * * *")},
        }

    Slots are instants, so no change of clocks shifts or repeats them; celery.schedules.crontab
    compares wall clocks (celery/celery#10107). A new entry first runs on its next slot. The
    ``policy`` says what becomes of slots that were missed. Under Celery's own scheduler they come
    due together, once, when it is back; with the setting ``beat_cron_starting_deadline``, in
    seconds, only if the latest of them is no older than that.

    A copy in beat's schedule file carries the words only, never the app.

    Args:
        expression: Five fields or a shorthand, see :class:`CronExpression`.
        zone: Name of an IANA time zone; None is the ``timezone`` of the Celery app.

    Raises:
        DefinitionError: the expression or the zone is not one.
    """

    def __init__(
        self,
        expression: str | CronExpression,
        zone: str | None = None,
        app: Celery | None = None,
        policy: Policy = USUAL,
    ) -> None:
        super().__init__(app=app)
        if not isinstance(expression, CronExpression):
            expression = CronExpression(expression)
        if zone is not None:
            time_zone(zone)
        self.expression = expression
        self.zone = zone
        self.policy = policy

    def next_after(self, instant: datetime) -> datetime:
        """Return the first slot later than ``instant``, in UTC."""
        zone = self.app.timezone if self.zone is None else time_zone(self.zone)
        return self.expression.next_after(self.maybe_make_aware(instant), zone)

    def is_due(self, last_run_at: datetime) -> schedstate:
        """Return whether a slot has passed since ``last_run_at``, and the seconds until the next.

        A naive ``last_run_at`` is UTC, as for every schedule of Celery's. Only Celery's own
        scheduler asks this, and of an entry that Flaskiq's scheduler has, nothing is ever due.
        """
        if not is_left_to_celery(self.app):
            return schedstate(is_due=False, next=ASK_AGAIN)
        now = self._utc_now()
        slot = self.next_after(last_run_at)
        if slot > now:
            return schedstate(is_due=False, next=(slot - now).total_seconds())
        next_in = (self.next_after(now) - now).total_seconds()
        return schedstate(is_due=self._in_time(now), next=next_in)

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        """Return the time until the first slot after ``last_run_at``; negative if it was missed."""
        return self.next_after(last_run_at) - self._utc_now()

    def _in_time(self, now: datetime) -> bool:
        seconds = self.app.conf.beat_cron_starting_deadline
        if seconds is None:
            return True
        # A slot exactly on the deadline is in time, and next_after() leaves out its own instant.
        deadline = now - timedelta(seconds=seconds, microseconds=1)
        return self.next_after(deadline) <= now

    def _utc_now(self) -> datetime:
        return self.maybe_make_aware(self.now()).astimezone(timezone.utc)

    def __reduce__(self) -> tuple[type[CronSchedule], tuple[str, str | None, None, Policy]]:
        return type(self), (self.expression.text, self.zone, None, self.policy)

    @property
    def _identity(self) -> tuple[CronExpression, str | None, Policy]:
        return self.expression, self.zone, self.policy

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CronSchedule):
            return NotImplemented
        return self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __repr__(self) -> str:
        return f"<cron: {self.expression}{f' {self.zone}' if self.zone else ''}>"
