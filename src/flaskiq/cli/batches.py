"""``flaskiq batches``: jobs that belong together."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from flaskiq.cli.job_list import limit
from flaskiq.cli.output import facts, listed, moment, show, table
from flaskiq.cli.scope import enter
from flaskiq.number import ago

if TYPE_CHECKING:
    from flaskiq.batch import Batch
    from flaskiq.store.batches import BatchRecord

HEADER = ("BATCH", "STATE", "DONE", "OF", "FAILED", "DEAD", "BEGUN", "DESCRIPTION")

EMPTY = "No batches are known. Begin one: with Batch(...): Worker.perform_bulk(...)"

ID = click.argument("batch_id", metavar="ID")


@click.group(invoke_without_command=True)
@limit
@click.pass_context
def batches(context: click.Context, limit: int) -> None:
    """List and steer jobs that belong together.

    The last one begun is in front.

    \b
    flaskiq batches
    flaskiq batches show ID
    flaskiq batches retry ID
    flaskiq batches cancel ID
    """
    if context.invoked_subcommand is None:
        from flaskiq import api

        enter(context)
        found = api.batches(limit)
        show(context, [each.as_dict() for each in found], lambda: _table(found))


@batches.command("show")
@ID
@click.pass_context
def show_(context: click.Context, batch_id: str) -> None:
    """Show how far a batch has come, and what blocks it.

    \b
    flaskiq batches show ID
    """
    enter(context)
    batch = _batch(batch_id)
    found, dead = batch.status(), batch.dead_jobs()
    document = {**found.as_dict(), "dead_jobs": dead, "properties": dict(batch.properties)}
    show(context, document, lambda: _text(found, dead, document["properties"]))


@batches.command()
@ID
@click.pass_context
def retry(context: click.Context, batch_id: str) -> None:
    """Replay the dead jobs of a batch; when they succeed, it does.

    \b
    flaskiq batches retry ID
    """
    from flaskiq import api

    enter(context)
    replayed = [job for job in _batch(batch_id).dead_jobs() if api.DeadSet().retry(job)]
    text = f"Enqueued {len(replayed)} dead jobs again." if replayed else "It has no dead jobs."
    show(context, {"id": batch_id, "replayed": replayed}, lambda: text)


@batches.command()
@ID
@click.pass_context
def cancel(context: click.Context, batch_id: str) -> None:
    """Skip the jobs of a batch that have not run, and never let it succeed.

    \b
    flaskiq batches cancel ID
    """
    enter(context)
    skipped = _batch(batch_id).cancel()
    text = f"Cancelled; {skipped} jobs that wait are skipped, those that run go on."
    show(context, {"id": batch_id, "skipped": skipped}, lambda: text)


def _batch(batch_id: str) -> Batch:
    from flaskiq.batch import Batch

    batch = Batch.find(batch_id)
    if batch is None:
        raise click.ClickException(f"No batch {batch_id} is known; flaskiq batches lists them.")
    return batch


def _table(found: list[BatchRecord]) -> str:
    now = time.time()
    rows = [
        (
            each.id,
            each.state,
            each.done + each.skipped,
            each.total,
            each.failed,
            each.dead,
            f"{ago(now - each.created_at)} ago",
            each.description,
        )
        for each in found
    ]
    return table(HEADER, rows, EMPTY)


def _text(found: BatchRecord, dead: list[str], properties: dict[str, Any]) -> str:
    text = facts(_facts(found, properties))
    if dead:
        ids = "\n".join(f"  {job}" for job in dead[:20])
        more = f"\n  and {len(dead) - 20} more" if len(dead) > 20 else ""
        text += f"\n\nDead jobs block it; flaskiq batches retry {found.id}\n{ids}{more}"
    return text


def _facts(found: BatchRecord, properties: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "id", found.id
    yield "description", found.description
    yield "state", found.state
    yield "progress", f"{found.progress:.0%}, {found.done + found.skipped} of {found.total} jobs"
    yield "to run", found.fresh or None
    yield "to retry", found.failed or None
    yield "dead", found.dead or None
    yield "dead callbacks", found.dead_callbacks or None
    yield "skipped", found.skipped or None
    yield "within", found.parent
    yield "batches within", found.children or None
    for name in ("created", "complete", "success", "death", "cancelled"):
        at = getattr(found, f"{name}_at")
        yield name, None if at is None else moment(at)
    yield "tenant", listed(found.tenant)
    yield "properties", listed(properties)
