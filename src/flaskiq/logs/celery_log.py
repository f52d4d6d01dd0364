"""CeleryLog: Celery's own setup of logging, with our forms of a line."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from typing import Any

from celery import Celery
from celery.app.log import Logging, TaskFormatter
from celery.utils.log import ColorFormatter

from flaskiq.current import state_of
from flaskiq.logs import records  # noqa: F401 - connects Celery's signals
from flaskiq.logs.forms import JsonFormatter, TaskTextFormatter, TextFormatter
from flaskiq.settings.celery_config import DEFAULTS

logger = logging.getLogger(__name__)

_STOCK = "celery.app.log:Logging"
_TEXT: dict[type[logging.Formatter], type[logging.Formatter]] = {
    ColorFormatter: TextFormatter,
    TaskFormatter: TaskTextFormatter,
}


class CeleryLog(Logging):
    """``app.log``; ``form`` is the one that somebody has asked for: text or json."""

    def __init__(self, app: Celery) -> None:
        super().__init__(app)
        state = state_of(app)
        self.form: str = state.settings["FLASKIQ_LOG_FORMAT"] if state else "text"

    @property
    def is_json(self) -> bool:
        """Whether lines are JSON: a format of somebody's own comes before."""
        return self.form == "json" and not self._has_own_format

    @property
    def _has_own_format(self) -> bool:
        return bool(self.format != DEFAULTS["worker_log_format"])

    def begin(self) -> None:
        """Let this program write JSON also where logging is not set up yet, or is not used."""
        if logging.lastResort is not None:
            logging.lastResort.setFormatter(JsonFormatter())
        logging.captureWarnings(True)
        # Here, since only a worker needs it.
        from celery.apps import worker

        vars(worker)["safe_say"] = _say

    def setup_logging_subsystem(self, *args: Any, **kwargs: Any) -> Any:
        """Set up logging, once in a process."""
        was_set_up = self.already_setup
        receivers = super().setup_logging_subsystem(*args, **kwargs)
        if self.form == "json" and self._has_own_format and not was_set_up:
            logger.warning("The log is no JSON: CELERY_WORKER_LOG_FORMAT comes before")
        return receivers

    def setup_handlers(
        self,
        logger: logging.Logger,
        logfile: Any,
        format: str,  # noqa: A002 - Celery's name
        colorize: Any,
        formatter: Any = ColorFormatter,
        **kwargs: Any,
    ) -> Any:
        """Give a logger its handler."""
        form = JsonFormatter if self.is_json else _TEXT.get(formatter, formatter)
        return super().setup_handlers(logger, logfile, format, colorize, formatter=form, **kwargs)


def _say(words: str, stream: Any = sys.__stderr__) -> None:
    """Write what Celery says about a signal, from within its handler: no lock can be taken."""
    said = logging.LogRecord("celery.apps.worker", logging.INFO, "", 0, words.strip(), (), None)
    with suppress(OSError, AttributeError, ValueError):
        os.write(stream.fileno(), f"{JsonFormatter().format(said)}\n".encode())


def install(celery: Celery) -> None:
    """Let an app log so, unless it has a setup of its own."""
    named: Any = celery
    if named.log_cls == _STOCK:
        named.log_cls = CeleryLog
        vars(celery).pop("log", None)  # made with the settings of before
