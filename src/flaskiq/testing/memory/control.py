"""Remote control where there is no worker."""

from __future__ import annotations

from typing import Any

from celery.app.control import Control

from flaskiq.broker.control import DurableRevoke
from flaskiq.errors import ModeError


class _Nobody(Control):
    """Nobody listens, so only what is remembered has an effect."""

    def broadcast(self, command: str, *_: Any, **__: Any) -> Any:
        """Take a revoke, which is remembered by now.

        Raises:
            ModeError: it is another command.
        """
        if command != "revoke":
            raise ModeError(
                f"the command {command!r} is for workers, and in flaskiq.testing's fake and inline "
                "there are none; use `with real():` or the fixture flaskiq_worker"
            )


class MemoryControl(DurableRevoke, _Nobody):
    """Revokes as a worker would know of it."""
