"""``flaskiq beat``: the running program that enqueues cron slots."""

from __future__ import annotations

import click


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def beat(context: click.Context, options: tuple[str, ...]) -> None:
    """Run the scheduler of the app's cron entries; one at a time.

    OPTIONS are those of `celery beat`.
    """
    from flaskiq.cli.celery_program import run
    from flaskiq.cli.locate import locate

    context.exit(run(locate(context).state.celery, ["beat", "--loglevel=INFO", *options]))
