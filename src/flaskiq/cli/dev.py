"""``flaskiq dev``: everything that an app needs on a developer's machine, in one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

PORT = click.IntRange(1, 65535)

flower_port_option = click.option(
    "--flower-port",
    default=5555,
    show_default=True,
    envvar="FLOWER_PORT",
    show_envvar=True,
    type=PORT,
    help="Port of Flower; ENABLE_FLOWER=no leaves it out.",
)


@contextmanager
def needs_extra(command: str) -> Iterator[None]:
    """Import what ``command`` needs within; say how to install what is missing.

    Raises:
        click.ClickException: it is one of the packages of the extra ``dev``.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("honcho", "watchfiles"):
            raise
        raise click.ClickException(
            f"{command} needs {error.name}: pip install 'flaskiq[dev]'."
        ) from None


def split(_: click.Context, __: click.Parameter, names: str | None) -> tuple[str, ...]:
    """Read ``a,b`` as ``("a", "b")``."""
    return tuple(name.strip() for name in (names or "").split(",") if name.strip())


@click.command()
@click.option("--port", default=8080, show_default=True, type=PORT, help="Port of the web app.")
@flower_port_option
@click.option("--only", metavar="NAME,...", callback=split, help="Run these processes only.")
@click.option(
    "--reload/--no-reload", default=True, help="Restart what runs the app's code when it changes."
)
@click.option(
    "--procfile",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The processes; without it the Procfile of this folder, else backend, worker, beat "
    "and flower.",
)
@click.pass_context
def dev(
    context: click.Context,
    port: int,
    flower_port: int,
    only: tuple[str, ...],
    reload: bool,
    procfile: Path | None,
) -> None:
    """Run web app, worker, beat and Flower together until Ctrl-C.

    Without a configured broker (CELERY_BROKER_URL) an embedded Valkey is started; it keeps its
    data in .flaskiq/valkey.
    """
    with needs_extra("flaskiq dev"):
        from flaskiq.dev.serve import serve

    from flaskiq.cli.locate import locate

    context.exit(
        serve(
            partial(locate, context),
            port=port,
            flower_port=flower_port,
            only=only,
            reload=reload,
            procfile=procfile,
        )
    )
