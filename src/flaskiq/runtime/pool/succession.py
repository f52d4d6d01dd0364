"""Succession: which template children are forked from, and how a new one takes over."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from time import monotonic

from celery import Celery

from flaskiq.runtime.pool.slots import Memory
from flaskiq.runtime.pool.template import Template

logger = logging.getLogger(__name__)


PAUSE = 5.0
"""Seconds before another template is started in place of one that has failed."""


class Succession:
    """The template of a node, and those before and after it.

    A new one starts as a program of its own and takes over when it has imported the app; the old
    one ends with the last of its children.
    """

    def __init__(self, app: Celery, hostname: str, memory: Memory) -> None:
        self._memory = memory
        self.current = Template.fork(app, hostname, memory)
        self._next: Template | None = None
        self._former: list[Template] = []
        self._ending: list[Template] = []
        self._is_wanted = False
        self._not_before = 0.0

    def want(self) -> None:
        """Ask for a new template; safe in a signal handler."""
        self._is_wanted = True

    def turn(self, in_use: Iterable[Template]) -> bool:
        """Go on with it; return whether a new template has taken over just now."""
        is_due = self.current.is_gone and monotonic() > self._not_before
        if self._next is None and (self._is_wanted or is_due):
            if not self._is_wanted:
                logger.error("The template has ended")
            self._is_wanted = False
            logger.info("A new template imports the app; the children change over to it")
            self._next = Template.execute(self._memory)
        self._end_former({id(template) for template in in_use})
        return self._next is not None and self._takes_over(self._next)

    def _takes_over(self, successor: Template) -> bool:
        if successor.is_ready:
            self._next = None
            self._former.append(self.current)
            self.current = successor
            return True
        if successor.is_gone:
            self._next = None
            logger.error("The new template has failed, see above; the old code goes on")
            self._not_before = monotonic() + PAUSE
            self._end(successor)
        return False

    def _end_former(self, in_use: set[int]) -> None:
        for template in [each for each in self._former if id(each) not in in_use]:
            self._former.remove(template)
            self._end(template)
        self._ending = [each for each in self._ending if not each.has_ended()]

    def _end(self, template: Template) -> None:
        template.close()
        self._ending.append(template)

    def close(self) -> None:
        """End all of them."""
        for template in (self.current, *self._former, *([self._next] if self._next else [])):
            template.close()
