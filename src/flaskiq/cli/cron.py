"""``flaskiq cron``: entries that enqueue jobs by the clock."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo
from itertools import islice
from time import time
from typing import TYPE_CHECKING, Any

import click

from flaskiq.cli.moment import Instant
from flaskiq.cli.output import show, table
from flaskiq.cli.scope import enter
from flaskiq.number import ago

if TYPE_CHECKING:
    from flaskiq.api import CronEntry, Firing
    from flaskiq.store.cron import Leadership

HEADER = ("ENTRY", "SCHEDULE", "ZONE", "NEXT", "LAST", "PAUSED", "MEANS")

EMPTY = "The app has no cron entries; give a Worker a cron_schedule."

NAME = click.argument("name")


@click.group(invoke_without_command=True)
@click.pass_context
def cron(context: click.Context) -> None:
    """List and steer what is enqueued by the clock.

    \b
    flaskiq cron
    flaskiq cron show workers.Report
    flaskiq cron preview --from 2026-03-28 --to 2026-03-30 --tz Europe/Berlin
    flaskiq cron pause workers.Report
    flaskiq cron run workers.Report
    """
    if context.invoked_subcommand is None:
        enter(context, workers=True)
        found, leads = _survey(), _leader()
        show(context, {"scheduler": leads, "entries": found}, lambda: _text(found, leads))


@cron.command("show")
@NAME
@click.pass_context
def show_(context: click.Context, name: str) -> None:
    """Show one entry: its next times and its last runs.

    \b
    flaskiq cron show workers.Report
    """
    enter(context, workers=True)
    entry = _entry(name)
    runs = [
        {
            "slot": each.slot.isoformat(),
            "how": each.how,
            "job": each.job_id,
            "outcome": str(each.outcome) if each.outcome else None,
        }
        for each in entry.runs()
    ]
    document = {
        **_document(entry),
        "next": [each.isoformat() for each in entry.next()],
        "runs": runs,
    }
    show(context, document, lambda: _entry_text(document))


@cron.command()
@NAME
@click.pass_context
def pause(context: click.Context, name: str) -> None:
    """Leave the slots of an entry out, also after a restart, until it is resumed.

    \b
    flaskiq cron pause workers.Report
    """
    enter(context, workers=True)
    _entry(name).pause()
    text = f"{name} is paused; `flaskiq cron resume {name!r}` goes on with its next slot."
    show(context, {"name": name, "paused": True}, lambda: text)


@cron.command()
@NAME
@click.pass_context
def resume(context: click.Context, name: str) -> None:
    """Go on with the next slot of an entry; nothing is caught up.

    \b
    flaskiq cron resume workers.Report
    """
    enter(context, workers=True)
    was = _entry(name).resume()
    text = f"{name} goes on with its next slot." if was else f"{name} was not paused."
    show(context, {"name": name, "paused": False}, lambda: text)


@cron.command()
@NAME
@click.pass_context
def run(context: click.Context, name: str) -> None:
    """Enqueue the job of an entry now, besides its slots.

    \b
    flaskiq cron run workers.Report
    """
    enter(context, workers=True)
    job_id = _entry(name).run_now()
    text = f"Enqueued job {job_id}; `flaskiq jobs wait {job_id}` waits for it."
    show(context, {"name": name, "job": job_id}, lambda: text)


@cron.command()
@click.argument("names", nargs=-1)
@click.option("--from", "start", type=Instant(), metavar="TIME", help="Now if it is not given.")
@click.option("--to", "end", type=Instant(), metavar="TIME", help="A day later if not given.")
@click.option("--tz", "zone", metavar="ZONE", help="The zone of the times, such as Europe/Berlin.")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True)
@click.pass_context
def preview(
    context: click.Context,
    names: tuple[str, ...],
    start: datetime | None,
    end: datetime | None,
    zone: str | None,
    limit: int,
) -> None:
    """List what will be enqueued between two times, so that a schedule can be reviewed.

    Needs no Redis. Times without a zone are of --tz, else local.

    \b
    flaskiq cron preview
    flaskiq cron preview workers.Report --from 2026-10-24 --to 2026-10-26 --tz Europe/Berlin
    """
    from flaskiq import api

    enter(context, workers=True)
    given = _zone(zone)
    first = _aware(start, given) if start else datetime.now(timezone.utc)
    last = _aware(end, given) if end else first + timedelta(days=1)
    if last <= first:
        raise click.UsageError("--to must be later than --from.")
    for name in names:
        _entry(name)
    # A slot at the very beginning is meant, too.
    found = api.cron_preview(first - timedelta(microseconds=1), last, list(names))
    firings = list(islice(found, limit + 1))
    cut = len(firings) > limit
    document = [_firing(each, given) for each in firings[:limit]]
    show(
        context,
        {"from": first.isoformat(), "to": last.isoformat(), "firings": document, "cut": cut},
        lambda: _firings_text(document, cut=cut),
    )


def _entry(name: str) -> CronEntry:
    from flaskiq.api import CronEntry
    from flaskiq.errors import ArgumentError

    try:
        return CronEntry(name)
    except ArgumentError as error:
        raise click.UsageError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None


def _document(entry: CronEntry) -> dict[str, Any]:
    last = entry.last_slot
    return {
        "name": entry.name,
        "task": entry.task,
        "schedule": entry.schedule,
        "zone": entry.zone,
        "description": entry.description,
        "paused": entry.is_paused,
        "last_slot": last.isoformat() if last else None,
    }


def _survey() -> list[dict[str, Any]]:
    from flaskiq.api import CronEntry

    return [{**_document(entry), "next": entry.next(1)[0].isoformat()} for entry in CronEntry.all()]


def leadership(found: Leadership) -> dict[str, Any]:
    """Return which scheduler leads, for programs; spans in seconds."""
    age = round(time() - found.ticked_at, 3) if found.ticked_at else None
    return {"leader": found.leader, "last_look": age, "lag": found.lag}


def led(document: dict[str, Any]) -> str:
    """Return it for people."""
    if not document["leader"]:
        return "No scheduler runs; start one: flaskiq beat"
    looked, lag = ago(document["last_look"]), ago(document["lag"])
    return (
        f"Scheduler {document['leader']} leads; it has looked {looked} ago, and its last slot was "
        f"{lag} late."
    )


def _leader() -> dict[str, Any]:
    from flaskiq import api

    return leadership(api.cron_leader())


def _text(found: list[dict[str, Any]], leads: dict[str, Any]) -> str:
    rows = [
        [
            each["name"],
            each["schedule"],
            each["zone"],
            _local(each["next"]),
            _local(each["last_slot"]),
            "paused" if each["paused"] else "",
            each["description"],
        ]
        for each in found
    ]
    return f"{led(leads)}\n\n{table(HEADER, rows, EMPTY)}"


def _entry_text(document: dict[str, Any]) -> str:
    lines = [
        f"{document['name']}: {document['schedule']} ({document['zone']})",
        f"  {document['description']}",
        f"  task   {document['task']}" + ("   paused" if document["paused"] else ""),
        "  next   " + "\n         ".join(map(_local, document["next"])),
        "",
    ]
    rows = [
        [_local(each["slot"]), each["how"], each["outcome"], each["job"]]
        for each in document["runs"]
    ]
    return "\n".join(lines) + table(("SLOT", "HOW", "OUTCOME", "JOB"), rows, "No runs yet.")


def _firing(firing: Firing, zone: tzinfo | None) -> dict[str, str]:
    return {
        "at": firing.at.astimezone(zone).isoformat(),
        "utc": firing.at.isoformat(),
        "entry": firing.entry,
        "task": firing.task,
    }


def _firings_text(document: list[dict[str, str]], *, cut: bool) -> str:
    rows = [[each["at"], each["utc"], each["entry"]] for each in document]
    text = table(("AT", "UTC", "ENTRY"), rows, "Nothing is enqueued in this time.")
    return f"{text}\nAnd more: --limit shows them." if cut else text


def _zone(name: str | None) -> tzinfo | None:
    from flaskiq.cron.expression import time_zone
    from flaskiq.errors import DefinitionError

    try:
        return time_zone(name) if name else None
    except DefinitionError as error:
        raise click.UsageError(f"--tz: {error}.") from None


def _aware(value: datetime, zone: tzinfo | None) -> datetime:
    if value.tzinfo is not None:
        return value
    return value.replace(tzinfo=zone) if zone else value.astimezone()


def _local(text: str | None) -> str:
    return datetime.fromisoformat(text).astimezone().isoformat(" ", "seconds") if text else "-"
