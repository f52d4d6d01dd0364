"""Leader: one of any number of schedulers, for as long as it says so in time."""

from __future__ import annotations

import logging
from time import monotonic

from flaskiq.store.cron import Cron

logger = logging.getLogger(__name__)

TTL = 15.0
"""Seconds after which another may lead, if the leader has not been heard of."""

RENEW = 5.0
"""Seconds after which the leader says so again."""

WATCH = 1.0
"""Seconds after which one who does not lead asks again."""


class Leader:
    """The claim of one scheduler; ``who`` names it.

    The claim is a token in Redis. The script that acts for the leader compares it, so one that was
    frozen for longer than its claim lasts does nothing when it wakes up.
    """

    def __init__(self, who: str) -> None:
        self._who = who
        self.token = ""
        self._ask_at = 0.0

    @property
    def wait(self) -> float:
        """Seconds until it asks again."""
        return max(0.0, self._ask_at - monotonic())

    def leads(self, cron: Cron) -> bool:
        """Return whether this scheduler leads; asks Redis when it is time to.

        Raises:
            redis.RedisError: Redis cannot be reached.
        """
        if self.wait:
            return bool(self.token)
        leads, token = cron.lead(self._who, self.token, TTL)
        self._ask_at = monotonic() + (RENEW if leads else WATCH)
        if leads and token != self.token:
            logger.info("This scheduler leads, as %s", token)
        elif self.token and not leads:
            logger.warning("Scheduler %s leads now", token)
        self.token = token if leads else ""
        return leads

    def depose(self) -> None:
        """Another leads: ask at once what is true."""
        self.token, self._ask_at = "", 0.0

    def resign(self, cron: Cron) -> None:
        """Let another lead at once.

        Raises:
            redis.RedisError: Redis cannot be reached; then another leads when the claim is over.
        """
        token, self.token = self.token, ""
        if token:
            cron.resign(token)
