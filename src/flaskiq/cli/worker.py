"""``flaskiq worker``: the running program that performs jobs."""

from __future__ import annotations

import click


@click.group()
def worker() -> None:
    """Run a worker."""


@worker.command(context_settings={"ignore_unknown_options": True})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def start(context: click.Context, options: tuple[str, ...]) -> None:
    """Run a worker on every queue of the app, the most urgent queue first.

    OPTIONS are those of `celery worker`, for example -c 4, -P threads or -Q critical.
    """
    from flaskiq.cli.locate import locate

    celery = locate(context).state.celery
    queues = ",".join(celery.amqp.queues)
    context.exit(celery.start(["worker", "--loglevel=INFO", f"--queues={queues}", *options]))
