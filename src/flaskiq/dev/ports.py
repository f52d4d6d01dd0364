"""TCP ports of this machine."""

from __future__ import annotations

import socket

import click

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Tell whether a server could listen on ``port`` of the loopback interface now."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose_free() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def check(port: int, process: str, option: str) -> None:
    """Refuse to start ``process`` on a taken port; ``option`` is how to choose another.

    Raises:
        click.ClickException: the port is taken.
    """
    if not is_free(port):
        raise click.ClickException(
            f"Port {port} is taken, and {process} needs it. "
            f"End the program that holds it, or choose another with {option}."
        )
