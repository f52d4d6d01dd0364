"""The command line: ``flaskiq ...``, and the same group as ``flask flaskiq ...``.

The program ``flask`` imports this module whatever it is asked to do, and a worker keeps what it has
imported, so nothing heavy is imported here: nor is a command before somebody asks for it, which
imports what it needs when it runs.

Exit codes: 0 done, 1 a problem, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import sys

import click

from flaskiq.cli.group import INTERRUPTED, Commands, Group

COMMANDS = (
    "autoscale", "batches", "beat", "chords", "cron", "dead", "demo", "dev", "doctor", "flower",
    "jobs", "metrics", "monitor", "processes", "purge", "queues", "retries", "scheduled", "stats",
    "worker",
)  # fmt: skip
"""Each is a module of this package, with a command of the same name."""


@click.group(cls=Group, commands=Commands(COMMANDS))
@click.option(
    "-A",
    "--app",
    metavar="MODULE:NAME",
    help="The app: a Flask app, a Flaskiq object, a Celery app or a factory of a Flask app. "
    "Without it: FLASKIQ_APP, FLASK_APP, else celery_app.py or app.py in this folder.",
)
@click.option(
    "--json",
    "_json",
    is_flag=True,
    help="Print one JSON document; may stand after the command, too.",
)
@click.version_option(package_name="flaskiq")
@click.pass_context
def flaskiq(context: click.Context, app: str | None, _json: bool) -> None:
    """Background jobs for Flask."""
    context.meta["flaskiq.app"] = app


def main() -> None:
    """Run the program ``flaskiq`` and exit with its code."""
    try:
        code = flaskiq.main(prog_name="flaskiq", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(INTERRUPTED)
    sys.exit(code)
