"""Whether the server is one that Flaskiq can work with."""

from __future__ import annotations

from collections.abc import Iterator

from flaskiq.doctor.finding import Finding, ok, problem
from flaskiq.doctor.patient import Patient
from flaskiq.errors import ServerError
from flaskiq.store.server import require_floor

ELSEWHERE = "Set CELERY_BROKER_URL to"


def examine(patient: Patient) -> Iterator[Finding]:
    """Look at version, mode and role."""
    told = patient.info
    sound = True
    try:
        require_floor(patient.store.client)
    except ServerError as error:
        sound = False
        what, _, mend = str(error).partition(". ")
        yield problem(what, "A worker that meets this server ends at once.", f"{mend}.")
    if told.get("cluster_enabled"):
        sound = False
        yield problem(
            "the server is a node of a Redis Cluster",
            "A job moves by scripts that use several keys, and a cluster refuses them.",
            f"{ELSEWHERE} a server without cluster mode (cluster-enabled no).",
        )
    if told.get("role") == "slave":
        sound = False
        yield problem(
            "the server is a replica",
            "It refuses every write, so no job can be enqueued or fetched.",
            f"{ELSEWHERE} the master {told.get('master_host')}:{told.get('master_port')}, or to "
            "the sentinels: sentinel://...",
        )
    if sound:
        yield ok(_name(told))


def _name(told: object) -> str:
    """``Redis 7.2.4``, or ``Valkey 9.1.0``, which says beside it which Redis it is like."""
    if not isinstance(told, dict):
        return "Redis"
    if "valkey_version" in told:
        return f"Valkey {told['valkey_version']}"
    return f"Redis {told.get('redis_version', 'of an unknown version')}"
