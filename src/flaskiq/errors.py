"""What can go wrong, as one tree. Every message names the fix.

::

    FlaskiqError
    ├── SettingError           a setting is unknown, unreadable or dead
    ├── DefinitionError        a Worker class is written wrongly (raised by its ``class`` statement)
    ├── RegistrationError      Workers that are lawful one by one do not fit together in this app
    ├── ArgumentError          a call of ``perform_*`` cannot become a job
    ├── BatchError             a batch is not known, or takes no more jobs
    ├── TenantError            a job has no tenant, and its Worker says ``tenant_required``
    ├── ServerError            the Redis server is too old
    ├── ContextError           no app, several apps or no job where one is needed
    ├── ResultsDisabledError   ``.get()`` on a job whose result is not kept
    └── ModeError              what a mode of ``flaskiq.testing`` does not have, or none is active
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FlaskiqError(Exception):
    """Anything that Flaskiq raises on purpose."""


class SettingError(FlaskiqError, ValueError):
    """A setting is unknown, has a value of the wrong kind, or acts on nothing."""


class DefinitionError(FlaskiqError, TypeError):
    """A Worker class has an unknown option, an invalid value or an unusable ``perform``."""


class RegistrationError(FlaskiqError):
    """The Workers of an app contradict each other or its queues."""


class ArgumentError(FlaskiqError, TypeError):
    """A call cannot become a job: its arguments or its options are refused before Redis sees it."""


class BatchError(FlaskiqError, LookupError):
    """A batch is not known, or takes no more jobs."""


class LostPartError(FlaskiqError):
    """A part of a chord is lost, and its chord was ended."""


class ChordBusyError(FlaskiqError):
    """Somebody else repairs the chord just now."""


class TenantError(FlaskiqError, ValueError):
    """A job needs a tenant and has none."""

    @classmethod
    def of(cls, worker: str, key: str) -> TenantError:
        """Return the error of a Worker that has ``tenant_required``."""
        return cls(
            f"{worker} has tenant_required, and this job has no {key}; use "
            f"set(tenant={{{key!r}: ...}}), or enqueue it where g.{key} or the user has one"
        )


class ServerError(FlaskiqError):
    """The Redis server cannot do what a worker needs."""


class ContextError(FlaskiqError, RuntimeError):
    """There is no current app or job, or more than one app to choose from."""


class ResultsDisabledError(FlaskiqError, RuntimeError):
    """The result of this job is not kept, so waiting for it would never end."""


class ModeError(FlaskiqError, RuntimeError):
    """A test asks for what its mode (``flaskiq.testing``) does not have, or is in none."""


def did_you_mean(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest known word, or an empty string."""
    nearest = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f"; did you mean {nearest[0]!r}?" if nearest else ""
