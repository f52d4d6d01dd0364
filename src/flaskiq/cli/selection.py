"""Selection: the jobs that a command is about: by id, by a filter, or all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from flaskiq.api import Filter

Command = Callable[..., None]

FILTERS = {
    "worker": ("NAME", "Of this Worker: Import or shop.jobs.Import."),
    "queue": ("NAME", "Of this queue."),
    "error": ("TEXT", "With this in the error or its message."),
    "argument": ("TEXT", "With this in the arguments, as JSON."),
}
"""Placeholder and help of each option."""


def filters(*names: str) -> Callable[[Command], Command]:
    """Add the options of a filter; the command is given it as ``where``."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def packed(*args: Any, **kwargs: Any) -> None:
            from flaskiq.api import Filter

            where = Filter(**{name: kwargs.pop(name) for name in names})
            command(*args, where=where, **kwargs)

        for name in reversed(names):
            metavar, text = FILTERS[name]
            packed = click.option(f"--{name}", metavar=metavar, help=text)(packed)
        return packed

    return decorate


@dataclass(frozen=True)
class Selection:
    """Job ids, or a filter, which is empty for all."""

    ids: tuple[str, ...]
    where: Filter


def selects(*names: str) -> Callable[[Command], Command]:
    """Add ``ID...``, the options of a filter, ``--all`` and ``--yes``.

    The command is given a ``selection``, and ``yes``.
    """

    def decorate(command: Command) -> Command:
        @click.argument("ids", metavar="[ID]...", nargs=-1)
        @filters(*names)
        @click.option("--all", "everything", is_flag=True, help="All jobs.")
        @click.option("--yes", is_flag=True, help="Do not ask.")
        @wraps(command)
        def packed(
            *args: Any, ids: tuple[str, ...], where: Filter, everything: bool, **kwargs: Any
        ) -> None:
            given = [bool(ids), not where.is_empty, everything]
            if sum(given) != 1:
                options = ", ".join(f"--{name}" for name in names)
                raise click.UsageError(
                    f"Say which jobs: their ids, a filter ({options}) or --all; one of these."
                )
            selection = Selection(tuple(dict.fromkeys(ids)), where)
            command(*args, selection=selection, **kwargs)

        return packed

    return decorate
