"""What the runner tells the applications, by the environment."""

from __future__ import annotations

import json
import os
from typing import Any

URL = os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379/0")

RESULTS = "BENCH_RESULTS" in os.environ
"""Whether results are kept in the same Redis."""

CELERY: dict[str, Any] = json.loads(os.environ.get("BENCH_CELERY", "{}"))
"""Further Celery settings, lower case."""

QUEUE = os.environ.get("BENCH_QUEUE")
"""The default queue of stock Celery, if not its own."""

PAYLOAD = {"k": "x" * int(os.environ.get("BENCH_PAYLOAD", "1"))}
"""The second argument of a no-op job."""

TENANT = os.environ.get("BENCH_TENANT")
"""What enqueueing in an app context finds of a tenant: ``used``, ``unused``, or ``off``."""

IO_SECONDS = 0.01
"""How long a job of ``drain_io`` waits."""
