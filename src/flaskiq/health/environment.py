"""Environment: what may be shown of it, by name; whatever is not listed here is never shown."""

from __future__ import annotations

from collections.abc import Mapping

from flaskiq.settings import TABLE
from flaskiq.settings.urls import mask_url

SECRET = frozenset({"CELERY", "CELERY_WORKER_OPTS", "HEALTH_TOKEN"})
"""Settings that are a secret, or may hold one."""

OTHERS = frozenset(
    {
        "APP_ENV", "ENV", "FLASK_APP", "FLASK_DEBUG", "HOSTNAME", "LANG", "LC_ALL", "LOG_LEVEL",
        "MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_", "PYTHONMALLOC", "PYTHONOPTIMIZE",
        "PYTHONUNBUFFERED", "TZ", "VIRTUAL_ENV", "WORKER_ENV",
    }
)  # fmt: skip
"""Variables of other programs that explain how this one behaves."""

SHOWN = frozenset(name for row in TABLE for name in (row.name, row.alias) if name) - SECRET | OTHERS


def shown(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what may be shown, passwords in URLs masked."""
    return {name: mask_url(environ[name]) for name in sorted(SHOWN & environ.keys())}
