"""What an application needs to test its jobs.

::

    from flaskiq.testing import assert_enqueued, drain, fake

    def test_signup(client):
        with fake():
            client.post("/signup", data={"email": "ada@example.org"})
            assert_enqueued(Welcome, args=["ada@example.org"])
            drain()

Nothing changes by importing it. With pytest there are the fixtures ``flaskiq_fake``,
``flaskiq_inline`` and ``flaskiq_worker``. See ``docs/testing.md``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from flaskiq.errors import ModeError
from flaskiq.job import State
from flaskiq.testing.assertions import assert_cron, assert_enqueued, enqueued, refute_enqueued
from flaskiq.testing.enqueued import EnqueuedJob
from flaskiq.testing.fake import fake
from flaskiq.testing.inline import inline
from flaskiq.testing.mode import Mode, active
from flaskiq.testing.real import real

if TYPE_CHECKING:
    from flaskiq.moments import Delay
    from flaskiq.testing.mode import Target

__all__ = [
    "EnqueuedJob",
    "Mode",
    "ModeError",
    "State",
    "advance",
    "assert_cron",
    "assert_enqueued",
    "clear",
    "drain",
    "enqueued",
    "fake",
    "inline",
    "perform_one",
    "real",
    "refute_enqueued",
]


def drain(
    worker: Target | None = None,
    *,
    queue: str | None = None,
    scheduled: bool | Delay = False,
    raises: bool = True,
) -> int:
    """See :meth:`Mode.drain`, of the mode of this context."""
    return active().drain(worker, queue=queue, scheduled=scheduled, raises=raises)


def perform_one(
    worker: Target | None = None, *, queue: str | None = None, raises: bool = True
) -> EnqueuedJob:
    """See :meth:`Mode.perform_one`, of the mode of this context."""
    return active().perform_one(worker, queue=queue, raises=raises)


def clear() -> None:
    """See :meth:`Mode.clear`, of the mode of this context."""
    active().clear()


def advance(delta: timedelta | float) -> None:
    """See :meth:`Mode.advance`, of the mode of this context."""
    active().advance(delta)
