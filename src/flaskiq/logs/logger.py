"""Logger: flask-react-template's way to write a line."""

from __future__ import annotations

import logging

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
