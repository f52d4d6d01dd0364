"""The shape of every loop."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from contextvars import copy_context

from redis import RedisError

from flaskiq.broker.outages import outages
from flaskiq.store.store import Store

logger = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds between two tries while Redis is out of reach, on average."""


class Loop:
    """Calls :meth:`turn` again and again until it is stopped; no outage and no error ends it."""

    name = "loop"

    def __init__(self, open_store: Callable[[], Store]) -> None:
        self._open_store = open_store
        self._stopped = threading.Event()
        # As its worker, it may be in the context of a test (current.elsewhere).
        self._thread = threading.Thread(
            target=copy_context().run,
            args=(self._run,),
            name=f"flaskiq-{self.name}",
            daemon=True,
        )

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Let the thread end after its turn; it is not waited for."""
        self._stopped.set()

    def turn(self, store: Store) -> float:
        """Do the work once; return the seconds until the next turn."""
        raise NotImplementedError

    def on_outage(self) -> None:
        """Called when Redis could not be reached."""

    def _run(self) -> None:
        store: Store | None = None
        out_of_reach = False
        while not self._stopped.is_set():
            try:
                store = store or self._open_store()
                pause = self.turn(store)
                if out_of_reach:
                    logger.info("The %s reaches Redis again", self.name)
                out_of_reach = False
            except (RedisError, OSError) as error:
                outages.note()
                if not out_of_reach:
                    logger.warning("The %s cannot reach Redis: %s", self.name, error)
                out_of_reach = True
                self.on_outage()
                pause = random.uniform(0, 2 * PAUSE)  # noqa: S311 - spreads the load of many workers
            except Exception:
                # A job that nobody can read, a result backend that fails: the loop outlives it.
                logger.exception("The %s has failed, and goes on", self.name)
                pause = PAUSE
            self._stopped.wait(pause)
