"""Access: who may see the dashboard, and who may act in it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from flask import Flask

from flaskiq.errors import SettingError

READ = "read"

ACTS = (
    "retry", "delete", "kill", "run", "cancel", "pause", "quiet", "stop", "recover", "revoke",
)  # fmt: skip
"""What somebody may be let do; ``pause`` goes with its opposite."""

Rule = Callable[[], str | Collection[str] | None]
"""Says what whoever asks may do: ``none``, ``read``, ``operate``, or those of :data:`ACTS` that
are allowed. Called within the request."""

MISSING = (
    "The dashboard has no access rule, and this is not development. Say who may see it: "
    "FLASKIQ_DASHBOARD_ACCESS=shop.users:may, a function that returns none, read or operate."
)


@dataclass(frozen=True)
class Access:
    """What the current request may do."""

    acts: frozenset[str]
    can_read: bool = True

    def may(self, act: str) -> bool:
        """Whether an act is allowed."""
        return act in self.acts


NONE, ALL = Access(frozenset(), can_read=False), Access(frozenset(ACTS))


def access(rule: Rule | None, *, is_open: bool) -> Access:
    """Ask the rule; without one everything is allowed if ``is_open``, else nothing.

    Raises:
        SettingError: the rule has answered something else.
    """
    if rule is None:
        return ALL if is_open else NONE
    answer = rule()
    if answer is None or answer == "none":
        return NONE
    if answer == "operate":
        return ALL
    if answer == READ:
        return Access(frozenset())
    if not isinstance(answer, str) and set(answer) <= {*ACTS, READ}:
        return Access(frozenset(answer) - {READ})
    raise SettingError(
        f"FLASKIQ_DASHBOARD_ACCESS: the rule has returned {answer!r}; it returns none, read, "
        f"operate, or some of {', '.join(ACTS)}"
    )


def is_development(app: Flask, env: str) -> bool:
    """Whether nobody need be asked who they are."""
    return bool(app.debug) or env == "development"
