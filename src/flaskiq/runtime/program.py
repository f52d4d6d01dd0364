"""The program ``celery worker``: what it reads besides its command line.

Celery's settings have no place for the options of ``celery worker`` that act before a worker
exists, such as the log level. Celery lets an app add options of its own (``user_options``): a
hidden one, which is processed before all others, hands click the settings as defaults. So a flag
comes first, then the variable of that option, then the settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from kombu.utils.compat import detect_environment

from flaskiq.runtime import pools
from flaskiq.settings import Settings

if TYPE_CHECKING:
    from celery import Celery

OPTS = "CELERY_WORKER_OPTS"
PATCHING = ("gevent", "eventlet")


def install(celery: Celery, settings: Settings) -> None:
    """Let the workers of ``celery`` read the settings."""
    option = click.Option(
        ["--settings-of-flaskiq"],
        is_flag=True,
        is_eager=True,
        hidden=True,
        expose_value=False,
        callback=partial(_read, settings),
    )
    celery.user_options["worker"].add(option)
    threads = click.Option(
        ["--threads"],
        type=click.IntRange(min=1),
        metavar="N",
        help="Jobs at a time in each process of the flaskiq pool (FLASKIQ_THREADS).",
        expose_value=False,
        callback=partial(_set_threads, celery),
    )
    celery.user_options["worker"].add(threads)
    form = click.Option(
        ["--log-format"],
        type=click.Choice(("text", "json")),
        help="The form of the log (FLASKIQ_LOG_FORMAT).",
        allow_from_autoenv=False,  # CELERY_WORKER_LOG_FORMAT is the form of a line
        expose_value=False,
        callback=partial(_set_log_format, celery),
    )
    for program in ("worker", "beat"):
        celery.user_options[program].add(form)


def _set_threads(
    celery: Celery, _context: click.Context, _option: click.Parameter, threads: int | None
) -> None:
    if threads:
        options = {**celery.conf.broker_transport_options, "threads": threads}
        celery.conf.broker_transport_options = options


def _set_log_format(
    celery: Celery, context: click.Context, _option: click.Parameter, form: str | None
) -> None:
    log: Any = celery.log
    if form:
        log.form = form
    if getattr(log, "is_json", False):
        log.begin()
        context.obj.quiet = True  # a banner is no JSON


def _read(settings: Settings, context: click.Context, _option: click.Parameter, _: Any) -> None:
    _offer_pool(context.command)
    # `flaskiq worker start` and app.start() do not set it; the same variables act there.
    context.auto_envvar_prefix = context.auto_envvar_prefix or "CELERY_WORKER"
    if settings["CELERY_WORKER_LOG_COLOR"] is False:
        # Without the flag --no-color Celery takes colours for wanted, whatever worker_log_color is.
        context.obj.no_color = True
    level = settings["CELERY_WORKER_LOGLEVEL"]
    context.default_map = {
        **(context.default_map or {}),
        **({"loglevel": level} if level else {}),
        **_options(context, settings[OPTS] or ()),
    }


def _offer_pool(command: click.Command) -> None:
    """Let ``--pool`` know our own: Celery's command may have been made before us."""
    for option in command.params:
        choice = option.type
        if option.name == "pool" and isinstance(choice, click.Choice):
            choice.choices = tuple(dict.fromkeys((*choice.choices, pools.OURS)))


def _options(context: click.Context, words: tuple[str, ...]) -> Mapping[str, Any]:
    """Return what the words of the variable say, by the names of the options."""
    try:
        values, rest, _ = context.command.make_parser(context).parse_args(list(words))
    except click.UsageError as error:
        raise click.UsageError(f"{OPTS}: {error.format_message()}", context) from None
    if rest:
        raise click.UsageError(f"{OPTS}: {rest[0]!r} is no option of celery worker", context)
    # `flaskiq worker start` has no parent: it finds the pool here, and begins again with a patch.
    if values.get("pool") in PATCHING and context.parent and detect_environment() == "default":
        raise click.UsageError(
            f"{OPTS}: --pool={values['pool']} comes too late here, as Celery patches Python before "
            "it reads variables: write it on the command line",
            context,
        )
    return values
