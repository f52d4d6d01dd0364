"""Forms of a line: Celery's text with secrets masked, and JSON."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from celery.app.log import TaskFormatter
from celery.utils.log import ColorFormatter

from flaskiq.logs.outcome import Outcome
from flaskiq.settings.urls import mask_text

MOST = 4_000
"""Characters of each text in a line of JSON."""

TRACEBACK_MOST = 8_000
"""Characters of a traceback, its end: what was raised is there."""

_OF_LOGGING = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None)))
_OURS = ("flaskiq_job", "flaskiq_acting_for", "flaskiq_tenant", "flaskiq_outcome")
_HIDDEN = _OF_LOGGING | {*_OURS, "taskName", "message", "asctime"}
"""Attributes of a record that nobody has given as ``extra``."""


class _Dated(logging.Formatter):
    """Writes the second once for all lines in it."""

    _last = (-1, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        """Return what logging does."""
        if datefmt or not self.default_msec_format:
            return super().formatTime(record, datefmt)
        second = int(record.created)
        last, text = self._last
        if last != second:
            text = time.strftime(self.default_time_format, self.converter(record.created))
            self._last = (second, text)
        return self.default_msec_format % (text, record.msecs)


class TextFormatter(_Dated, ColorFormatter):
    """A line of a worker as Celery writes it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, secrets masked."""
        return mask_text(super().format(record))


class TaskTextFormatter(_Dated, TaskFormatter):
    """A line of Celery's logger of tasks as Celery writes it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, secrets masked."""
        return mask_text(super().format(record))


class JsonFormatter(logging.Formatter):
    """A line of JSON for each record; what is given as ``extra`` stands in it, too."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """Take what Celery gives a formatter, such as a format, and make no use of it."""
        super().__init__()

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; whatever the record holds, it is valid JSON in ASCII."""
        at = datetime.fromtimestamp(record.created, timezone.utc)
        document = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": _cut(mask_text(_message(record))),
            **_of_job(record),
        }
        traceback = self._traceback(record)
        if traceback:
            document["exception"] = mask_text(traceback)[-TRACEBACK_MOST:]
        if record.stack_info:
            document["stack"] = _cut(record.stack_info)
        for name, value in vars(record).items():
            if name not in _HIDDEN and name not in document and not _is_celery_s(record, name):
                document[name] = _plain(value)
        return json.dumps(document)

    def _traceback(self, record: logging.LogRecord) -> str:
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        return record.exc_text or ""


def _is_celery_s(record: logging.LogRecord, name: str) -> bool:
    """Whether an ``extra`` is Celery's: the arguments of a job are in it."""
    return name == "data" and record.name.startswith("celery.")


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - whoever wrote the line learns what is wrong from it
        return f"{record.msg!r} does not go with {record.args!r}"


def _of_job(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields of the job that a line is about, or is from."""
    told: Outcome | str = getattr(record, "flaskiq_outcome", "")
    if isinstance(told, Outcome):
        fields = told.fields()
        if "error" in fields:
            fields["error"] = _cut(mask_text(fields["error"]))
        return fields
    job = getattr(record, "flaskiq_job", None)
    if job is None:
        return {}
    fields = {"job_id": job.id, "worker": job.worker, "queue": job.queue, "attempt": job.attempt}
    tenant = getattr(record, "flaskiq_acting_for", None)
    return {**fields, "tenant": dict(tenant)} if tenant else fields


def _plain(value: Any) -> Any:
    """Return what JSON can carry and is not too long, else a text."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, (Mapping, list, tuple)):
        try:
            text = mask_text(json.dumps(value, allow_nan=False, default=str))
            return json.loads(text) if len(text) <= MOST else _cut(text)
        except Exception:  # noqa: BLE001 - it is shown as a text
            return _cut(mask_text(_repr(value)))
    return _cut(mask_text(value if isinstance(value, str) else _repr(value)))


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - it is shown
        return f"<no repr of {type(value).__name__}: {type(error).__name__}>"


def _cut(text: str) -> str:
    return text if len(text) <= MOST else f"{text[: MOST - 3]}..."
