"""What only Redis has, asked for where there is none."""

from __future__ import annotations

from typing import Any, NoReturn

from flaskiq.errors import ModeError


class InPart:
    """Mixin: a structure that has not all of what its base has; the rest raises ModeError."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ModeError(
            "this is kept in Redis, and in flaskiq.testing's fake and inline there is none; "
            "use `with real():` or the fixture flaskiq_worker"
        )


nobody: Any = InPart()
"""The client of a store that has no server."""
