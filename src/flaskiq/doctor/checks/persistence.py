"""What is left of the jobs when the server or its machine dies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from redis import ResponseError

from flaskiq.doctor.finding import Finding, ok, problem, warning
from flaskiq.doctor.patient import Patient

SWITCH_ON = (
    "redis-cli CONFIG SET appendonly yes && redis-cli CONFIG SET appendfsync everysec "
    "&& redis-cli CONFIG REWRITE; at a provider, switch its persistence (AOF) on."
)


def examine(patient: Patient) -> Iterator[Finding]:
    """Look at the append-only file, the snapshots, and whether the last write of each went well."""
    config = _config(patient)
    yield from _failed_writes(patient.info)
    if patient.info.get("aof_enabled"):
        yield _append_only(config.get("appendfsync"))
    elif config.get("save"):
        yield warning(
            f"appendonly is no; there are snapshots only (save {config['save']})",
            "When the server dies, every job since the last snapshot is lost.",
            SWITCH_ON,
        )
    elif "save" in config:
        yield problem(
            "appendonly is no, and there are no snapshots (save is empty)",
            "When the server restarts, every job is lost: ready, scheduled, retry and dead.",
            SWITCH_ON,
        )
    else:
        yield warning(
            "appendonly is no; whether there are snapshots cannot be told, since CONFIG is denied",
            "Without either, every job is lost when the server restarts.",
            SWITCH_ON,
        )


def _config(patient: Patient) -> Mapping[str, str]:
    """The settings that INFO does not have; nothing where a provider denies CONFIG."""
    try:
        found: Mapping[Any, Any] = patient.store.client.config_get("appendfsync", "save")
    except ResponseError:
        return {}
    return {_text(name): _text(value) for name, value in found.items()}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _append_only(fsync: str | None) -> Finding:
    if fsync == "no":
        return warning(
            "appendonly is yes, but appendfsync is no",
            "When the machine loses power, often 30 seconds of jobs are lost.",
            "redis-cli CONFIG SET appendfsync everysec && redis-cli CONFIG REWRITE",
        )
    return ok(f"appendonly is yes{f', appendfsync is {fsync}' if fsync else ''}")


def _failed_writes(told: Mapping[str, Any]) -> Iterator[Finding]:
    for field, kind in (
        ("aof_last_write_status", "write to the append-only file"),
        ("rdb_last_bgsave_status", "snapshot"),
    ):
        if told.get(field, "ok") != "ok":
            yield problem(
                f"the last {kind} failed",
                "What is in Redis is not on disk, and Redis may refuse new jobs because of it.",
                "Look into the log of the server: the disk is full, or its folder is not writable.",
            )
