"""``flaskiq demo``: Flaskiq alive, in one command and without an app."""

from __future__ import annotations

import math

import click

from flaskiq.cli.dev import PORT, flower_port_option, needs_extra

POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command()
@click.option("--port", default=8080, show_default=True, type=PORT, help="Port of the dashboard.")
@flower_port_option
@click.option(
    "--rate",
    default=20.0,
    show_default=True,
    type=POSITIVE,
    help="Jobs that come each second, besides what comes by the clock.",
)
@click.option(
    "--seconds", default=math.inf, type=POSITIVE, help="End after so many; by default at Ctrl-C."
)
@click.pass_context
def demo(context: click.Context, port: int, flower_port: int, rate: float, seconds: float) -> None:
    """Show a busy app with its dashboard until Ctrl-C.

    It needs no app, no configuration and no broker: a Valkey of its own keeps its data in a
    temporary folder, which is removed at the end. What is configured here is not touched.
    """
    with needs_extra("flaskiq demo"):
        from flaskiq.dev.demo.show import show

    from flaskiq.cli.locate import find

    context.exit(show(find, port=port, flower_port=flower_port, rate=rate, seconds=seconds))
