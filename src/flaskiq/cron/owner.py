"""Owner: which scheduler enqueues the entries of an app, Flaskiq's or Celery's own."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from redis import RedisError

from flaskiq.current import state_of

if TYPE_CHECKING:
    from celery import Celery

logger = logging.getLogger(__name__)

ASK_AGAIN = 60.0
"""Seconds after which Celery's scheduler asks again for an entry that is not its own."""

SETTING = "FLASKIQ_SCHEDULER"

_said_at: WeakKeyDictionary[Celery, float] = WeakKeyDictionary()


def is_left_to_celery(celery: Celery) -> bool:
    """Whether Celery's own scheduler may enqueue the entry it asks for.

    If not, an error in the log names the scheduler that does.
    """
    state = state_of(celery)
    if state is None or state.settings[SETTING] == "celery":
        return True
    now = monotonic()
    if now - _said_at.get(celery, -ASK_AGAIN) < ASK_AGAIN / 2:
        return False  # of another entry
    _said_at[celery] = now
    try:
        leader = state.store.cron.leadership().leader
    except (RedisError, OSError):
        leader = None
    who = f"it runs as {leader}" if leader else "none runs now: start `flaskiq beat`"
    logger.error(
        "This is Celery's own scheduler, and cron entries belong to Flaskiq's (%s), so they are "
        "skipped here; %s=celery leaves them to Celery's",
        who,
        SETTING,
    )
    return False
