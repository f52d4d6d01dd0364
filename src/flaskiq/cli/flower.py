"""``flaskiq flower``: Flower, the monitor of Celery."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from ipaddress import ip_address
from threading import Thread
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from celery import Celery

PATIENCE = 60  # pings of one second
AUTH = ("basic_auth", "auth")
"""The options of Flower that keep others out."""


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--address",
    default="127.0.0.1",
    show_default=True,
    envvar="FLOWER_ADDRESS",
    show_envvar=True,
    help="Where it listens.",
)
@click.option(
    "--port",
    default=5555,
    show_default=True,
    envvar="FLOWER_PORT",
    show_envvar=True,
    type=click.IntRange(1, 65535),
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def flower(context: click.Context, address: str, port: int, options: tuple[str, ...]) -> None:
    """Run Flower for the app.

    \b
    flaskiq flower
    FLOWER_BASIC_AUTH=name:password flaskiq flower --address 0.0.0.0

    OPTIONS are those of `celery flower`. Whoever reaches Flower can stop workers and run tasks: on
    another address than this machine's own it needs FLOWER_BASIC_AUTH, or FLOWER_AUTH for OAuth.
    There is no default password.
    """
    from flaskiq.cli.celery_program import run
    from flaskiq.cli.locate import locate

    if not _is_loopback(address) and not _has_auth(options):
        raise click.UsageError(
            f"On {address or 'every address'} anybody could stop workers and run tasks. Set "
            "FLOWER_BASIC_AUTH=name:password (or --basic-auth=name:password), or listen on "
            "127.0.0.1."
        )

    if find_spec("flower") is None:
        raise click.ClickException("Flower is not installed: pip install 'flaskiq[dev]'.")
    celery = locate(context).state.celery
    url = f"http://{address}:{port}/api/workers?refresh=1"
    Thread(target=_introduce_worker, args=(celery, url), daemon=True).start()
    sys.unraisablehook = _say_no_interrupt
    context.exit(run(celery, ["flower", f"--address={address}", f"--port={port}", *options]))


def _say_no_interrupt(unraisable: sys.UnraisableHookArgs) -> None:
    """Be silent where somebody does not wait until Flower's threads have ended: a second Ctrl-C."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)


def _is_loopback(address: str) -> bool:
    try:
        return address == "localhost" or ip_address(address).is_loopback
    except ValueError:  # a name, which may mean any address
        return False


def _has_auth(options: Sequence[str]) -> bool:
    words = (option.lstrip("-").partition("=") for option in options)
    typed = {name.replace("-", "_"): value for name, _, value in words}
    return any(typed.get(name) or os.environ.get(f"FLOWER_{name.upper()}") for name in AUTH)


def _introduce_worker(celery: Celery, url: str) -> None:
    """Let Flower look again once a worker is there.

    Flower asks who is there once, at its start: a worker that boots beside it would be missing in
    ``/api/workers`` for good (``start`` in flower/app.py). Without access to the API it stays so.
    """
    from urllib.request import urlopen

    for _ in range(PATIENCE):
        if celery.control.ping(timeout=1, limit=1):
            with suppress(OSError):
                urlopen(url, timeout=10).close()  # noqa: S310 - our own http URL
            return
