"""``CELERY_*`` variables that look alive and act on nothing: who sets one is told what does.

The prefix belongs to many: to Celery's own command line, to scripts around it, to apps and to
Kubernetes. So only a name is told that is a setting of Celery, or nearly one that acts.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module

import click

from flaskiq.settings import celery_config
from flaskiq.settings.sources import DOTENV, ENVIRONMENT, Source, is_of_kubernetes
from flaskiq.settings.table import NAMES, TABLE

logger = logging.getLogger(__name__)

PREFIX = "CELERY_"

PROGRAMS = (
    "beat", "call", "control", "events", "migrate", "purge", "result", "shell", "upgrade", "worker",
)  # fmt: skip
"""Modules of ``celery.bin`` whose options have variables. ``celery.bin.celery`` itself would
import every plugin, Flower too."""

OF_ALL_PROGRAMS = frozenset(
    PREFIX + name
    for name in (
        "APP", "BROKER", "CONFIG", "LOADER", "NO_COLOR", "QUIET", "RESULT_BACKEND", "SKIP_CHECKS",
        "VERSION", "WORKDIR",
    )
)  # fmt: skip
"""The options of ``celery`` before the name of a command."""

READ_BY_CELERY = frozenset(
    PREFIX + name
    for name in (
        "BENCH", "BENCH_EVERY", "BROKER_READ_URL", "BROKER_WRITE_URL", "CONFIG_MODULE",
        "CUSTOM_WORKER_POOL", "LOG_FILE", "LOG_LEVEL", "LOG_REDIRECT", "LOG_REDIRECT_LEVEL",
        "RDB_HOST", "RDB_PORT", "TRACE_APP", "WORKER_REVOKES_MAX", "WORKER_REVOKE_EXPIRES",
        "WORKER_SUCCESSFUL_EXPIRES", "WORKER_SUCCESSFUL_MAX",
    )
)  # fmt: skip
"""What Celery reads by itself (``os.environ`` in its source)."""

OF_INIT_SCRIPTS = frozenset(
    PREFIX + name
    for name in ("BIN", "CREATE_DIRS", "CREATE_LOGDIR", "CREATE_RUNDIR", "GROUP", "USER")
)
"""What Celery's init scripts and unit files read."""

_CHORDS = (
    "chords on a Redis result backend are counted, never polled: use CELERY_RESULT_CHORD_EXPIRES"
)
_ADVICE = {
    "CELERY_BROKER": "only the program celery reads it, so jobs would be enqueued in one Redis and "
    "fetched from another: use CELERY_BROKER_URL",
    "CELERY_CHORD_UNLOCK_MAX_RETRIES": _CHORDS,
    "CELERY_CHORD_UNLOCK_RETRY_DELAY": _CHORDS,
    "CELERY_RESULT_PERSISTENT": "it belongs to the RPC result backend: on Redis use "
    "CELERY_RESULT_EXPIRES",
}
_ALIKE = 0.8
"""How near a name must be to one that acts, so that it is taken for a misspelling (difflib)."""


def warn(places: Iterable[Source]) -> None:
    """Warn about each such variable of the environment and of ``.env``."""
    for place in places:
        if place.name in (ENVIRONMENT, DOTENV):
            for name, advice in unread(place):
                logger.warning("%s (%s) is not read by Flaskiq: %s", name, place.where, advice)


def unread(place: Source) -> Iterator[tuple[str, str]]:
    for name in map(str, place.values):
        if name.startswith(PREFIX) and name not in NAMES and not is_of_kubernetes(name):
            advice = _advise_dotenv(name) if place.name == DOTENV else _advise(name)
            if advice:
                yield name, advice


def _advise_dotenv(name: str) -> str | None:
    if name not in _ADVICE and name in options_of_celery() | READ_BY_CELERY:
        return (
            "Celery reads it from the environment only; CELERY_WORKER_OPTS holds options of a "
            "worker here, too"
        )
    return _advise(name)


def _advise(name: str) -> str | None:
    if name in _ADVICE:
        return _ADVICE[name]
    if name in READ_BY_CELERY | OF_INIT_SCRIPTS or name in options_of_celery():
        return None
    return _advise_setting(name) or _advise_nearest(name)


def _advise_setting(name: str) -> str | None:
    setting = celery_config.name_of(name)
    row = next((row for row in TABLE if row.celery and row.celery == setting), None)
    if row:
        return f"use {row.name}"
    return f"set {setting!r} in the CELERY dict of Flask config" if setting else None


def _advise_nearest(name: str) -> str | None:
    rest = name.removeprefix(PREFIX)
    acting = sorted(name for name in NAMES if name.startswith(PREFIX))
    acting += sorted(options_of_celery())
    whole = [each for each in acting if each in (f"{PREFIX}WORKER_{rest}", f"{PREFIX}TASK_{rest}")]
    if whole:
        return f"use {whole[0]}"
    words = [each.removeprefix(PREFIX) for each in acting]
    nearest = difflib.get_close_matches(rest, words, n=1, cutoff=_ALIKE)
    return f"did you mean {PREFIX + nearest[0]!r}?" if nearest else None


@cache
def options_of_celery() -> frozenset[str]:
    """Return the variables that the program ``celery`` reads for its options.

    It has ``auto_envvar_prefix="CELERY"``. Found in its commands, which are imported only when a
    variable is met that is none of ours.
    """
    modules = [import_module(f"celery.bin.{name}") for name in PROGRAMS]
    commands = [
        command
        for module in modules
        for command in vars(module).values()
        if isinstance(command, click.Command)
    ]
    return OF_ALL_PROGRAMS | {
        variable for command in commands for variable in _variables(command, "CELERY")
    }


def _variables(command: click.Command, prefix: str) -> Iterator[str]:
    """Yield the names that click makes of a command and its options."""
    prefix = f"{prefix}_{str(command.name).upper()}".replace("-", "_")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield f"{prefix}_{str(parameter.name).upper()}"
    if isinstance(command, click.Group):
        for each in command.commands.values():
            yield from _variables(each, prefix)
