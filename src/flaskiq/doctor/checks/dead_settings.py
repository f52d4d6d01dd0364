"""Which settings look alive and act on nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from flaskiq.doctor.finding import Finding, ok, warning
from flaskiq.doctor.patient import Patient
from flaskiq.errors import did_you_mean
from flaskiq.settings import TABLE, unread
from flaskiq.settings.celery_config import name_of
from flaskiq.settings.sources import DOTENV, ENVIRONMENT, FLASK_CONFIG, Found, Source, gather
from flaskiq.settings.table import NAMES

WHY = "Whoever has set it believes that it acts."

DEAD_OPTIONS = (
    "visibility_timeout",
    "unacked_key",
    "unacked_index_key",
    "unacked_mutex_key",
    "unacked_mutex_expire",
    "unacked_restore_limit",
)
"""Options of kombu's transport that ours does not read."""


def examine(patient: Patient) -> Iterator[Finding]:
    """Look at every place where settings come from, and at what contradicts each other."""
    places = gather(patient.state.app, patient.environ, patient.settings.adopted)
    dead = [
        *chain.from_iterable(map(_unknown, places)),
        *_flask_config(patient),
        *_outdone(places),
        *_options(patient),
        *_prefetch(patient),
    ]
    yield from dead
    if not dead:
        yield ok("every setting that was found acts")


def _unknown(place: Source) -> Iterator[Finding]:
    for message in place.unknown():
        what, _, mend = message.partition("; ")
        yield warning(what, WHY, _sentence(mend or "take it out"))
    if place.name in (ENVIRONMENT, DOTENV):
        for name, advice in unread.unread(place):
            yield _dead(f"{name} ({place.where})", _sentence(advice))


def _flask_config(patient: Patient) -> Iterator[Finding]:
    """Names of old are Celery's too; others that are not ``CELERY_*`` may belong to anybody."""
    for key in sorted(patient.state.app.config):
        name = name_of(key) if key.startswith(("CELERY", "BROKER_")) else None
        if key not in NAMES and (name or key.startswith("CELERY_")):
            mend = f"app.config['CELERY'] = {{{name!r}: ...}}"
            unknown = f"It is not a setting of Celery{did_you_mean(key, NAMES)}: take it out."
            yield _dead(f"{key} (Flask config)", mend if name else unknown)


def _outdone(places: list[Source]) -> Iterator[Finding]:
    """Find values that never act, since another name for the same thing comes first."""
    for row in TABLE:
        found = list(chain.from_iterable(place.find(row) for place in places))
        for other in found[1:]:
            if _contradict(found[0], other):
                yield _dead(
                    f"{other.key} ({other.source.where})",
                    f"{found[0].key} ({found[0].source.where}) comes first: take one of them out.",
                )
        if row.name == "FLASKIQ_APP":
            for each in found:
                if each.source.name != ENVIRONMENT:
                    yield _dead(f"{each.key} ({each.source.where})", "Set it in the environment.")


def _contradict(first: Found, other: Found) -> bool:
    """Whether both are set in one place, or both in code, and to different values.

    That the environment outdoes the code is what it is there for.
    """
    if str(first.value) == str(other.value):
        return False
    return first.source is other.source or first.source.name == other.source.name == FLASK_CONFIG


def _options(patient: Patient) -> Iterator[Finding]:
    given = {**patient.settings.adopted, **patient.settings["CELERY"]}
    for setting in ("broker_transport_options", "result_backend_transport_options"):
        for name in DEAD_OPTIONS:
            if name in (given.get(setting) or {}):
                yield _dead(
                    f"{name} in {setting}",
                    "Take it out. A job belongs to its process as long as that lives "
                    "(FLASKIQ_HEARTBEAT_TTL), and is not handed out again by a clock.",
                )


def _prefetch(patient: Patient) -> Iterator[Finding]:
    conf = patient.celery.conf
    if conf.worker_disable_prefetch and conf.worker_prefetch_multiplier != 1:
        yield _dead(
            f"worker_prefetch_multiplier = {conf.worker_prefetch_multiplier}",
            "Prefetching is off. Take worker_disable_prefetch out of the CELERY dict, and the "
            "order of queues holds per fetch only; or take the multiplier out.",
        )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}{'' if text.endswith('?') else '.'}"


def _dead(what: str, mend: str) -> Finding:
    return warning(f"{what} acts on nothing", WHY, mend)
