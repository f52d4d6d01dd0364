"""The process of ``flaskiq demo`` that makes the traffic: ``python -m flaskiq.dev.demo``."""

from __future__ import annotations

import click

from flaskiq.dev.demo.app import DASHBOARD, create_app
from flaskiq.dev.demo.traffic import fill, keep_coming
from flaskiq.dev.ports import LOOPBACK


@click.command()
@click.option("--rate", default=20.0, type=click.FloatRange(min=0, min_open=True))
@click.option("--port", default=8080, envvar="PORT", help="Port of the dashboard.")
def main(rate: float, port: int) -> None:
    """Fill the shop, and keep jobs coming."""
    with create_app().app_context():
        fill()
        # Once more and last of all, since worker and beat have greeted at length.
        page = f"http://{LOOPBACK}:{port}{DASHBOARD}/"
        click.echo(f"The first jobs are there, about {rate:g} a second follow: {page}")
        keep_coming(rate)


if __name__ == "__main__":
    main()
