"""fake: jobs are collected, and run when the test says so."""

from __future__ import annotations

from flaskiq.testing.in_memory import InMemory


class fake(InMemory):  # noqa: N801 - used like a function
    """Jobs are collected in memory, as they would lie in Redis, and run by :meth:`drain`.

    ::

        with fake():
            client.post("/signup", data={"email": "ada@example.org"})
            assert_enqueued(Welcome, args=["ada@example.org"], queue="critical")
            drain()
    """

    name = "fake"

    def act(self) -> None:
        """Nothing runs by itself."""
