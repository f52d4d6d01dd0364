"""Flaskiq: Sidekiq for Flask, on Celery."""

from flaskiq.batch import Batch, current_batch
from flaskiq.current import current_job, current_tenant
from flaskiq.endings import Discard, Kill, Snooze
from flaskiq.errors import (
    ArgumentError,
    BatchError,
    ContextError,
    DefinitionError,
    FlaskiqError,
    RegistrationError,
    ResultsDisabledError,
    ServerError,
    SettingError,
    TenantError,
)
from flaskiq.extension import Flaskiq
from flaskiq.logs.logger import Logger
from flaskiq.registry import WorkerRegistry
from flaskiq.tenancy.base_task import BaseTask
from flaskiq.tenancy.launcher import task_launcher
from flaskiq.tenancy.scope import get_db_session, with_tenant_context
from flaskiq.tenant import Tenant
from flaskiq.worker import Worker

__all__ = [
    # The extension
    "Flaskiq",
    # Jobs
    "Worker",
    "WorkerRegistry",
    "current_job",
    "Logger",
    # Batches
    "Batch",
    "current_batch",
    # Tenants
    "BaseTask",
    "Tenant",
    "current_tenant",
    "get_db_session",
    "task_launcher",
    "with_tenant_context",
    # How an attempt ends when perform says so
    "Discard",
    "Kill",
    "Snooze",
    # Errors
    "ArgumentError",
    "BatchError",
    "ContextError",
    "DefinitionError",
    "FlaskiqError",
    "RegistrationError",
    "ResultsDisabledError",
    "ServerError",
    "SettingError",
    "TenantError",
]
