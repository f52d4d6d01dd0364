"""Nobody: the client of a store that has no server."""

from __future__ import annotations

from typing import Any, NoReturn

from flaskiq.errors import ModeError


class Nobody:
    """Whatever is asked of it raises :class:`ModeError`."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise missing()


def missing() -> ModeError:
    """Return the error of what only Redis has."""
    return ModeError(
        "this is kept in Redis, and in flaskiq.testing's fake and inline there is none; "
        "use `with real():` or the fixture flaskiq_worker"
    )


nobody: Any = Nobody()
