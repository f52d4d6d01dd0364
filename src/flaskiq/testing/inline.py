"""inline: jobs run at once."""

from __future__ import annotations

from flaskiq.testing.in_memory import InMemory


class inline(InMemory):  # noqa: N801 - used like a function
    """A job runs before the call returns that enqueues it, and its retries after it.

    Jobs that wait for a time do not wait. What a job enqueues runs when it has ended, as in
    production. The error of a job that gives up is raised by the call that has enqueued it.
    """

    name = "inline"

    def __init__(self) -> None:
        super().__init__()
        self._is_running = False

    def act(self) -> None:
        """Run what there is, unless it is enqueued by a job that runs.

        Raises:
            Exception: the first error of a job that has not succeeded in the end.
        """
        if self._is_running:
            return
        self._is_running = True
        try:
            self.drain(scheduled=True)
        finally:
            self._is_running = False
