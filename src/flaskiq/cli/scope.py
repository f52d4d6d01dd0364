"""The app that a command is about, made the current one: ``flaskiq.api`` is about that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flaskiq.cli.locate import locate

if TYPE_CHECKING:
    import click

    from flaskiq.extension import AppState


def enter(context: click.Context, *, workers: bool = False) -> AppState:
    """Find the app, make it the current one until the command ends, and return its state.

    ``workers``: import the Workers too, for commands that call them or their hooks.
    """
    state = locate(context).state
    context.with_resource(state.app.app_context())
    if workers:
        state.registry.load()
    return state
