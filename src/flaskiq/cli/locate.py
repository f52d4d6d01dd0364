"""Which app a command is about."""

from __future__ import annotations

import importlib
import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import click
from celery import Celery
from flask import Flask
from flask.cli import ScriptInfo, find_app_by_string, prepare_import

from flaskiq.current import EXTENSION, state_of
from flaskiq.extension import Flaskiq

if TYPE_CHECKING:
    from flaskiq.extension import AppState

USUAL_MODULES = ("celery_app", "app")
FACTORIES = ("create_app", "make_app")

NOWHERE = """No app was found. Name it in one of four ways:
  flaskiq -A module:name ...     the option
  FLASKIQ_APP=module:name        the environment
  FLASK_APP=module:name          the environment, as for flask
  celery_app.py or app.py        a module in the working folder
Flaskiq must be part of the app: Flaskiq(app)."""


class NoApp(click.UsageError):
    """There is no app here, or Flaskiq is no part of it."""


@dataclass(frozen=True)
class Found:
    """An app: where it is (``module:name``), the object of that name, and the state behind it."""

    spec: str
    value: object
    state: AppState


def locate(context: click.Context) -> Found:
    """Return the app that this call of the command line is about.

    What goes wrong while the app is imported is not caught: the traceback names file and line.

    Raises:
        NoApp: there is none; the message says how to name it.
    """
    sys.path.insert(0, str(Path.cwd()))
    spec = named(context) or _spec_of_environment()
    return find(spec) if spec else _usual()


def named(context: click.Context) -> str | None:
    """Return how the app was named on the command line, if it was."""
    spec: str | None = context.meta["flaskiq.app"]
    return spec or _spec_of_flask(context)


def find(spec: str) -> Found:
    """Return the app that ``module``, ``file.py`` or ``module:name`` stands for.

    Raises:
        NoApp: there is none.
    """
    path, _, name = re.sub(r":(?![\\/])", "\0", spec, count=1).partition("\0")
    module = _load(prepare_import(path))
    return _named(module, name) if name else _only(module)


def _spec_of_flask(context: click.Context) -> str | None:
    """Below ``flask --app x flaskiq ...`` the app was named to ``flask``."""
    info = context.find_object(ScriptInfo)
    return info.app_import_path if info else None


def _spec_of_environment() -> str | None:
    return os.environ.get("FLASKIQ_APP") or os.environ.get("FLASK_APP")


def _usual() -> Found:
    for name in filter(_is_here, USUAL_MODULES):
        with suppress(NoApp):
            return _only(_load(name))
    raise NoApp(NOWHERE)


def _is_here(name: str) -> bool:
    return Path(f"{name}.py").is_file() or Path(name, "__init__.py").is_file()


def _load(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise NoApp(f"There is no module {name!r} in {Path.cwd()}.") from None
        raise


def _named(module: ModuleType, name: str) -> Found:
    value = getattr(module, name, None)
    if not _is_app(value):
        value = find_app_by_string(module, name)
    return _found(module, name, value)


def _only(module: ModuleType) -> Found:
    """The one app of a module; a Flask app and its Celery app are one app."""
    apps = {name: value for name, value in vars(module).items() if _is_app(value)}
    states = {id(state) for value in apps.values() if (state := _state(value))}
    if len(states) > 1:
        names = ", ".join(f"{module.__name__}:{name}" for name in apps)
        raise NoApp(f"There are several apps; name one with -A: {names}.")
    name = min(apps, key=lambda name: _rank(apps[name]), default=None)
    name = name or next((name for name in FACTORIES if hasattr(module, name)), None)
    if name is None:
        raise NoApp(
            f"{module.__name__} has no Flask app, Flaskiq object, Celery app or create_app."
        )
    return _named(module, name)


def _is_app(value: object) -> bool:
    return isinstance(value, (Flask, Celery, Flaskiq))


def _rank(value: object) -> tuple[bool, bool]:
    """What has a Flaskiq first, then a Flask app: ``flask run`` understands its name too."""
    return (_state(value) is None, not isinstance(value, Flask))


def _state(value: Any) -> AppState | None:
    if isinstance(value, Flask):
        return cast("AppState | None", value.extensions.get(EXTENSION))
    celery = value.celery if isinstance(value, Flaskiq) else value
    return cast("AppState | None", state_of(celery))


def _found(module: ModuleType, name: str, value: object) -> Found:
    spec, state = f"{module.__name__}:{name}", _state(value)
    if state is None:
        raise NoApp(f"{spec} has no Flaskiq; add Flaskiq(app) to it.")
    return Found(spec, value, state)
