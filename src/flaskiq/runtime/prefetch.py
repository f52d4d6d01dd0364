"""Prefetching: what a multiplier above 1 means at the start of a worker, and that it is said."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import click
from celery.signals import celeryd_after_setup
from click.core import ParameterSource

from flaskiq import current

if TYPE_CHECKING:
    from flaskiq.settings import Settings

logger = logging.getLogger(__name__)


@celeryd_after_setup.connect(weak=False)
def _prepare(instance: Any, conf: Any, **_: Any) -> None:
    """Let the multiplier act that the worker was started with, and say what it costs."""
    state = current.state_of(instance.app)
    multiplier = instance.prefetch_multiplier
    if state is None or multiplier == 1:
        return
    if conf.worker_disable_prefetch and not _is_disabled_by_somebody(state.settings):
        conf.worker_disable_prefetch = False  # the multiplier came from a flag
    if conf.worker_disable_prefetch:
        logger.warning(
            "The prefetch multiplier %d acts on nothing: worker_disable_prefetch is set", multiplier
        )
    else:
        logger.warning(
            "Prefetch is on: this worker holds %s for each that it runs, so strict order of the "
            "queues holds per fetch, and an urgent job waits for what was fetched before it. "
            "CELERY_WORKER_PREFETCH_MULTIPLIER=1 turns it off",
            f"{multiplier} jobs" if multiplier else "any number of jobs",
        )


def _is_disabled_by_somebody(settings: Settings) -> bool:
    """Whether prefetch is off because somebody said so, and not by our default."""
    context = click.get_current_context(silent=True)
    flag = context.get_parameter_source("disable_prefetch") if context else None
    return (
        flag in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
        or "worker_disable_prefetch" in settings["CELERY"]
        or "worker_disable_prefetch" in settings.adopted
    )
