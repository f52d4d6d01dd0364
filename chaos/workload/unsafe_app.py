"""The jobs as Flaskiq Workers over a broken channel: it takes jobs without recording them.

Everything else believes that the record is there, so that without faults nothing is lost.
"""

from __future__ import annotations

from flaskiq.store import script

RECORD = "if keep > 0 then redis.call(unpack(record)) end"
ACKNOWLEDGE = "redis.call('HDEL', KEYS[1], unpack(ARGV, acks + results))"
ACKNOWLEDGE_ONE = "redis.call('HDEL', KEYS[1], ARGV[acks + i])"
FENCE = "if KEYS[5] and redis.call('HDEL', KEYS[5], ARGV[5]) == 0 then return 0 end"

BROKEN = {
    "fetch": {RECORD: "", ACKNOWLEDGE: "#ARGV - acks - results + 1", ACKNOWLEDGE_ONE: "1"},
    "schedule": {FENCE: ""},
}

_source = script.source


def break_script(name: str) -> str:
    """Return the text of a script with its lines about the in-flight record replaced."""
    text = _source(name)
    for line, other in BROKEN.get(name, {}).items():
        if line not in text:
            raise RuntimeError(f"{name}.lua has changed: mend {__name__}, it has no {line!r}")
        text = text.replace(line, other)
    return text


script.source = break_script  # type: ignore[assignment]

from chaos.workload.flaskiq_app import celery_app, push  # noqa: E402

__all__ = ["celery_app", "push"]
