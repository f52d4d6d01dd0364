"""WorkerOptions: how a worker is to run. Celery's own command reads them; some mean more here."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import click
from celery import Celery
from celery.bin.base import CLIContext
from celery.bin.worker import worker
from celery.platforms import EX_FAILURE
from celery.utils import sysinfo
from celery.utils.nodenames import node_format
from celery.worker import state
from click.core import ParameterSource

from flaskiq.cli.group import INTERRUPTED
from flaskiq.errors import did_you_mean
from flaskiq.runtime.pools import OURS, fetches, pool_name
from flaskiq.settings.kinds import WEIGHTS

cpu_budget: Any = vars(sysinfo)["cpu_budget"]  # the stubs lack it

COMMAND: click.Command = worker
"""``celery worker``."""

GREEN = ("gevent", "eventlet")
"""The pools that patch Python, before anything else is imported."""


class WorkerOptions:
    """The options of one worker of an app, typed or from its settings (``runtime/program.py``).

    ``typed`` are those of the command line, each once: with them the worker can be started again.

    Raises:
        click.ClickException: there is no such option, a value is wrong, or a pool is not installed.
    """

    def __init__(self, celery: Celery, words: Sequence[str]) -> None:
        self._celery = celery
        self._context = _parse(celery, words)
        self._params = self._context.params
        self.typed = tuple(_tidy(words))
        self.queues, self.weights = _split(self._params["queues"] or ())

    @property
    def name(self) -> str | None:
        """The name of the node, if somebody chose it."""
        is_chosen = self._source("hostname") is not ParameterSource.DEFAULT
        return str(self._params["hostname"]) if is_chosen else None

    @property
    def is_detached(self) -> bool:
        """Whether the worker is to run in the background."""
        return bool(self._params["detach"])

    @property
    def is_green(self) -> bool:
        """Whether the pool patches Python."""
        return pool_name(self._params["pool"]) in GREEN

    def path(self, name: str, node: str) -> str | None:
        """Return the path of the ``pidfile`` or ``logfile`` of a node, if somebody chose it."""
        given = self._params[name]
        return str(Path(node_format(given, node)).resolve()) if given else None

    def words(self) -> list[str]:
        """Return options that start the same worker in another process."""
        name = [f"--hostname={self.name}"] if self.name else []
        # Whoever patches Python looks for the pool in the command line only.
        pool = [f"--pool={pool_name(self._params['pool'])}"] if self.is_green else []
        return [*name, *pool, *self.typed]

    def notes(self) -> Iterator[str]:
        """Yield what whoever starts the worker should know."""
        known = list(self._celery.amqp.queues)
        for queue in self.queues:
            if queue not in known:
                nearest = did_you_mean(queue, known)
                yield f"No queue {queue!r} is configured{nearest}. It is served all the same."
        if self.is_detached and self._params["prefetch_multiplier"] != 1:
            # The worker says it, too, but in its log.
            yield "Prefetch is on: strict order of the queues holds per fetch."

    def run(self, node: str) -> int:
        """Run the worker in this process until it ends, and return its exit code."""
        if self.weights:
            conf = self._celery.conf
            options = {**conf.broker_transport_options, "queue_weights": self.weights}
            conf.broker_transport_options = options
        # Celery sizes prefork alone by the quota of a container.
        if fetches(self._params["pool"]) and self._params["concurrency"] in (None, 0, "auto"):
            self._params["concurrency"] = cpu_budget().count
        self._params.update(hostname=node, queues=list(self.queues), detach=False, pidfile=None)
        if self._source("loglevel") is ParameterSource.DEFAULT:
            self._params["loglevel"] = logging.INFO
        if self._is_typed("prefetch_multiplier") and not self._is_typed("disable_prefetch"):
            self._params["disable_prefetch"] = self._params["prefetch_multiplier"] == 1
        try:
            with self._context:
                COMMAND.invoke(self._context)
        except click.exceptions.Exit as end:
            # Celery ends with its code for failures when Ctrl-C has told it to.
            return INTERRUPTED if state.should_stop == EX_FAILURE else end.exit_code
        return 0

    def _is_typed(self, name: str) -> bool:
        return self._source(name) is ParameterSource.COMMANDLINE

    def _source(self, name: str) -> ParameterSource | None:
        return self._context.get_parameter_source(name)


def _parse(celery: Celery, words: Sequence[str]) -> click.Context:
    """Read the words as ``celery worker`` does, plugins' options and variables included."""
    for option in chain(celery.user_options["worker"], celery.user_options["preload"]):
        if option not in COMMAND.params:
            COMMAND.params.append(option)
    try:
        return COMMAND.make_context(
            "flaskiq worker start",
            list(words),
            obj=CLIContext(celery, no_color="NO_COLOR" in os.environ, workdir=None),
            auto_envvar_prefix="CELERY_WORKER",
            default_map=None if celery.conf.value_set_for("worker_pool") else {"pool": OURS},
        )
    except ModuleNotFoundError as error:
        if error.name not in GREEN:
            raise
        raise click.ClickException(
            f"The pool {error.name} needs a package: pip install {error.name}."
        ) from None


def _tidy(words: Sequence[str]) -> Iterator[str]:
    """Yield each option once, with its last value; who and where it runs is kept elsewhere."""
    parser: Any = COMMAND.make_parser(click.Context(COMMAND))
    values, rest, _ = parser.parse_args(list(words))
    longest = {param.name: max(param.opts, key=len) for param in COMMAND.params}
    for name, value in values.items():
        if name not in ("detach", "hostname"):
            yield longest[name] if value is True else f"{longest[name]}={value}"
    yield from rest


def _split(words: Sequence[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Read ``a=5``, ``b`` as the queues a and b with a weight for a."""
    parts = [word.partition("=") for word in words]
    given = {name: weight for name, equals, weight in parts if equals}
    try:
        weights = dict(WEIGHTS.parse(given)) if given else {}
    except ValueError:
        raise click.BadParameter(f"expected {WEIGHTS.expects}", param_hint="--queue") from None
    return tuple(name for name, _, _ in parts), weights
