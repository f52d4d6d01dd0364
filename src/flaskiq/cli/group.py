"""Group: what all commands of the program have in common: ``--json`` anywhere, and errors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, MutableMapping
from importlib import import_module
from typing import Any

import click
from kombu.exceptions import OperationalError
from redis import RedisError

from flaskiq.cli.output import JSON, is_json
from flaskiq.errors import FlaskiqError

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


class Commands(MutableMapping[str, click.Command]):
    """The commands of this package by name, each imported when somebody asks for it."""

    def __init__(self, names: Iterable[str]) -> None:
        self._known: dict[str, click.Command | None] = dict.fromkeys(names)

    def __getitem__(self, name: str) -> click.Command:
        found = self._known[name]
        if found is None:
            found = self._known[name] = vars(import_module(f"flaskiq.cli.{name}"))[name]
        return found

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._known[name] = command

    def __delitem__(self, name: str) -> None:
        del self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


class Group(click.Group):
    """The group ``flaskiq``.

    With ``--json``, before or after any command, standard output is one JSON document; so is an
    error, as ``{"error": "..."}``. Exit codes: 0 done, 1 a problem, 2 wrong usage, 130 interrupted.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take ``--json`` out, wherever it stands before a ``--``."""
        end = args.index("--") if "--" in args else len(args)
        ours = [word for word in args[:end] if word != "--json"]
        if len(ours) < end:
            ctx.meta[JSON] = True
        return super().parse_args(ctx, ours + args[end:])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and turn what is expected to go wrong into a message."""
        try:
            return self._invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            ctx.exit(INTERRUPTED)
        except click.ClickException as error:
            if not is_json(ctx):
                raise
            click.echo(json.dumps({"error": error.format_message()}))
            ctx.exit(error.exit_code)

    def _invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except FlaskiqError as error:
            raise click.ClickException(str(error)) from None
        except (RedisError, OperationalError) as error:
            raise click.ClickException(
                f"Redis did not answer: {error}. Is it running, and is CELERY_BROKER_URL right? "
                "`flaskiq doctor` looks closer."
            ) from None
