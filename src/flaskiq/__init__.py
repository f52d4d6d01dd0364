"""Flaskiq: Sidekiq for Flask, on Celery."""

from flaskiq.current import current_job
from flaskiq.endings import Discard, Kill, Snooze
from flaskiq.errors import (
    ArgumentError,
    ContextError,
    DefinitionError,
    FlaskiqError,
    RegistrationError,
    ResultsDisabledError,
    ServerError,
    SettingError,
)
from flaskiq.extension import Flaskiq
from flaskiq.logs import Logger
from flaskiq.registry import WorkerRegistry
from flaskiq.worker import Worker

__all__ = [
    # The extension
    "Flaskiq",
    # Jobs
    "Worker",
    "WorkerRegistry",
    "current_job",
    "Logger",
    # How an attempt ends when perform says so
    "Discard",
    "Kill",
    "Snooze",
    # Errors
    "ArgumentError",
    "ContextError",
    "DefinitionError",
    "FlaskiqError",
    "RegistrationError",
    "ResultsDisabledError",
    "ServerError",
    "SettingError",
]
