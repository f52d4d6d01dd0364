"""Log lines from a job: each says for whom it runs, and flask-react-template's way to write one."""

from __future__ import annotations

import logging
from typing import Any

from celery.signals import after_setup_logger, celeryd_init

from flaskiq import current

SAYS_IT_ITSELF = "flaskiq.tenancy.base_task"
"""The logger of ``BaseTask.log_with_context``."""


def name_tenants() -> None:
    """Give each log record of this process ``flaskiq_tenant``: the tenant of its job in brackets.

    When the record is made, not when it is written: that may be in another thread, and later. An
    empty text is for nobody, or outside of a job. ``%(flaskiq_tenant)s`` in a format shows it.
    """
    make = logging.getLogRecordFactory()
    if isinstance(make, _Factory):
        return
    logging.setLogRecordFactory(_Factory(make))


class _Factory:
    """Makes log records."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(self, name: str, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._make(name, *args, **kwargs)
        tenant = current.acting_for()
        shown = f" [{tenant}]" if tenant and name != SAYS_IT_ITSELF else ""
        vars(record)["flaskiq_tenant"] = shown
        return record


@after_setup_logger.connect(weak=False)
@celeryd_init.connect(weak=False)
def _logging_begins(**_: Any) -> None:
    name_tenants()


_logger = logging.getLogger("flaskiq.app")


class Logger:
    """``Logger.info(message=...)`` and its kin, over :mod:`logging`; logger ``flaskiq.app``."""

    @staticmethod
    def debug(*, message: str) -> None:
        """Log ``message`` with level DEBUG."""
        _logger.debug("%s", message, stacklevel=2)

    @staticmethod
    def info(*, message: str) -> None:
        """Log ``message`` with level INFO."""
        _logger.info("%s", message, stacklevel=2)

    @staticmethod
    def warning(*, message: str) -> None:
        """Log ``message`` with level WARNING."""
        _logger.warning("%s", message, stacklevel=2)

    @staticmethod
    def error(*, message: str) -> None:
        """Log ``message`` with level ERROR."""
        _logger.error("%s", message, stacklevel=2)
