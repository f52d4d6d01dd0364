"""Where settings come from, first to last: environment, ``.env``, Flask config, an
adopted Celery app."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.core import ParameterSource
from dotenv import dotenv_values

from flaskiq.errors import SettingError, did_you_mean
from flaskiq.settings.table import NAMES, Setting
from flaskiq.settings.urls import mask_url

if TYPE_CHECKING:
    from flask import Flask

logger = logging.getLogger(__name__)

ENVIRONMENT, DOTENV, FLASK_CONFIG = "environment", ".env", "Flask config"
CELERY_APP, DEFAULT = "Celery app", "default"


class Found(NamedTuple):
    """A value as somebody wrote it, and where."""

    key: str
    value: Any
    source: Source

    def __str__(self) -> str:
        return f"{self.key}={mask_url(str(self.value))} ({self.source.where})"

    def parse(self, row: Setting) -> Any:
        """Return the value that ``row`` reads from it, or raise SettingError."""
        try:
            return row.kind.parse(self.value)
        except (AttributeError, LookupError, TypeError, ValueError):
            # The cause would show the value, password and all.
            raise SettingError(f"{self}: expected {row.kind.expects}") from None


@dataclass(frozen=True)
class Source:
    """One place; ``name`` is what :attr:`Settings.sources` tells, ``where`` is for messages."""

    name: str
    where: str
    values: Mapping[str, Any]
    celery_names: bool = False

    def find(self, row: Setting) -> Iterator[Found]:
        """Yield what this place says about ``row``, its own name before the alias."""
        if row.kind.flask_only and self.name != FLASK_CONFIG:
            return
        for key in self._keys(row):
            value = self.values.get(key, "")
            given = key in self.values and (row.kind.blank or not _is_blank(value))
            if given:
                yield Found(key, value, self)

    def _keys(self, row: Setting) -> Iterator[str]:
        keys = (row.celery,) if self.celery_names else (row.name, row.alias)
        return (key for key in keys if key)

    def unknown(self) -> Iterator[str]:
        """Yield a message for each ``FLASKIQ_*`` key that no row of the table reads."""
        for key in map(str, self.values):
            if key.startswith("FLASKIQ_") and key not in NAMES and not is_of_kubernetes(key):
                nearest = did_you_mean(key, NAMES)
                yield f"{key} ({self.where}) is not a setting of Flaskiq{nearest}"


_SERVICE = re.compile(r"_SERVICE_(HOST|PORT\w*)$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$")


def is_of_kubernetes(name: str) -> bool:
    """Whether Kubernetes sets it, for a Service called ``flaskiq``, ``celery-worker`` or so."""
    return bool(_SERVICE.search(name))


def _is_blank(value: Any) -> bool:
    return isinstance(value, str) and not value.strip()


def gather(
    app: Flask, environ: Mapping[str, str] | None, adopted: Mapping[str, Any]
) -> list[Source]:
    """Return the places that are read for ``app``, the strongest first.

    Celery itself reads ``CELERY_BROKER_URL`` and ``CELERY_RESULT_BACKEND`` of the environment
    before its configuration (``celery.app.utils.Settings``), so the environment comes before the
    ``CELERY`` dict for every setting.
    """
    if environ is None:
        environ = _process_environment()
    path = _find_dotenv(app)
    dotenv = dotenv_values(path) if path else {}
    return [
        Source(ENVIRONMENT, "environment", environ),
        Source(DOTENV, str(path), _without_none(dotenv)),
        Source(FLASK_CONFIG, "CELERY in Flask config", _celery_dict(app), celery_names=True),
        Source(FLASK_CONFIG, "Flask config", _without_none(app.config)),
        Source(CELERY_APP, "the Celery app", _without_none(adopted), celery_names=True),
    ]


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _celery_dict(app: Flask) -> Mapping[str, Any]:
    given = app.config.get("CELERY")
    return given if isinstance(given, Mapping) else {}


def _find_dotenv(app: Flask) -> Path | None:
    """Return the ``.env`` beside the app; beside its package, when it is one."""
    folder = Path(app.root_path)
    folders = [folder, folder.parent] if (folder / "__init__.py").exists() else [folder]
    return next((path for each in folders if (path := each / ".env").is_file()), None)


_CELERY_OPTIONS = {"broker": "CELERY_BROKER_URL", "result_backend": "CELERY_RESULT_BACKEND"}


def _process_environment() -> Mapping[str, str]:
    """Return ``os.environ``, and put back what the ``celery`` program wrote over.

    Its option ``--broker`` reads ``BROKER_URL`` and lands in ``CELERY_BROKER_URL``
    (``celery/bin/celery.py``). With both set and different, the web process would enqueue in one
    Redis and the worker fetch from the other. An explicit ``celery --broker`` stays.
    """
    context = click.get_current_context(silent=True)
    at_start = _environment_at_start()
    for option, name in _CELERY_OPTIONS.items():
        source = context.find_root().get_parameter_source(option) if context else None
        if source is ParameterSource.ENVIRONMENT and name in at_start:
            os.environ[name] = at_start[name]
    return os.environ


def _environment_at_start() -> Mapping[str, str]:
    """Return what the process was given; empty on macOS, which has no ``/proc``."""
    try:
        text = os.fsdecode(Path("/proc/self/environ").read_bytes())
    except OSError:
        return {}
    return {name: value for name, _, value in (pair.partition("=") for pair in text.split("\0"))}


def refuse_unknown(sources: list[Source]) -> None:
    """Refuse ``FLASKIQ_*`` keys that no row reads.

    The environment of a process may hold names of a newer version: there it is a warning.
    """
    for source in sources:
        for message in source.unknown():
            if source.name != ENVIRONMENT:
                raise SettingError(message)
            logger.warning("%s", message)


def choose(row: Setting, sources: list[Source]) -> Found | None:
    """Return what the strongest place says about ``row``, or None."""
    found = [found for source in sources for found in source.find(row)]
    _warn_contradiction(row, found)
    return found[0] if found else None


def _warn_contradiction(row: Setting, found: list[Found]) -> None:
    """Warn when name and alias are both set and differ: one of them is forgotten."""
    for other in found[1:]:
        if row.alias in (found[0].key, other.key) and _differ(found[0], other):
            logger.warning("%s is used; %s is ignored: remove it", found[0], other)


def _differ(one: Found, other: Found) -> bool:
    return one.key != other.key and one.value != other.value
