"""The server that holds the database, and the oldest that will do."""

from __future__ import annotations

import re
from typing import Any

from redis import Redis

from flaskiq.errors import ServerError

FLOOR = (7, 0)
"""The oldest Redis that has every command of the scripts: LMPOP, in ``fetch``.

Valkey and others that speak Redis say which version of it they are like (``redis_version``).
"""


def require_floor(client: Redis) -> None:
    """Make sure that the server is new enough; one round trip.

    Raises:
        ServerError: it is too old.
        redis.RedisError: Redis cannot be reached.
    """
    info: Any = client.info("server")
    version = str(info.get("redis_version", ""))
    if version and tuple(map(int, re.findall(r"\d+", f"{version}.0")[:2])) < FLOOR:
        raise ServerError(
            f"Redis {version} is too old: Flaskiq needs Redis {'.'.join(map(str, FLOOR))} or "
            "newer, or Valkey. Upgrade the server, or set CELERY_BROKER_URL to another one"
        )
