"""``flaskiq chords``: groups with a callback, which Celery counts and nobody sees."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from flaskiq.cli.act import confirm
from flaskiq.cli.chord_text import chord_table, chord_text, counted, step_text
from flaskiq.cli.output import is_json, show
from flaskiq.cli.scope import enter

if TYPE_CHECKING:
    from flaskiq.chords import ChordRecord
    from flaskiq.chords.repair import Step

Repair = Callable[[str], "list[Step]"]

ID = click.argument("chord_id", metavar="ID")

DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")

MAX_HOURS = click.option(
    "--max-hours",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Hours after which a chord that goes on is stuck, too.",
)


@click.group(invoke_without_command=True)
@click.pass_context
def chords(context: click.Context) -> None:
    """Watch and repair chords.

    A chord is Celery's group with a callback, its body. ID is that of the group or of the body.

    \b
    flaskiq chords status
    flaskiq chords check --max-hours 1
    flaskiq chords inspect ID
    flaskiq chords recover ID --dry-run
    flaskiq chords fix
    """
    if context.invoked_subcommand is None:
        context.invoke(status)


@chords.command()
@click.pass_context
def status(context: click.Context) -> None:
    """List the chords that are not over, and what the watcher has seen.

    \b
    flaskiq chords status
    flaskiq chords status --json
    """
    state = enter(context)
    from flaskiq.chords import chords as all_chords

    found, watched = all_chords(), state.store.chords.reported()
    stuck = sum(each.is_stuck for each in found)
    document = {
        "active": len(found),
        "stuck": stuck,
        "watch": watched,
        "chords": [each.as_dict() for each in found],
    }
    show(context, document, lambda: f"{chord_table(found)}\n\n{_seen(watched)}")


@chords.command()
@MAX_HOURS
@click.pass_context
def check(context: click.Context, max_hours: float) -> None:
    """Exit with 1 if chords are stuck: they cannot end, or take longer than --max-hours.

    \b
    flaskiq chords check
    flaskiq chords check --max-hours 0.5
    """
    enter(context)
    found = _stuck(max_hours)
    document = {
        "stuck": len(found),
        "max_hours": max_hours,
        "chords": [each.as_dict() for each in found],
    }
    show(
        context,
        document,
        lambda: (
            f"{chord_table(found)}\n\n{counted(found)} stuck; flaskiq chords recover ID"
            if found
            else f"No stuck chords (none takes longer than {max_hours:g} h)."
        ),
    )
    context.exit(1 if found else 0)


@chords.command()
@ID
@click.option("--verbose", is_flag=True, help="Show every part, also those that have ended.")
@click.pass_context
def inspect(context: click.Context, chord_id: str, verbose: bool) -> None:
    """Show one chord: its parts, and where each missing one is.

    \b
    flaskiq chords inspect ID
    flaskiq chords inspect ID --verbose
    """
    state = enter(context)
    found = _known(chord_id)
    acts = [act._asdict() for act in state.store.chords.acts(found.id)]
    document = {**found.as_dict(), "acts": acts}
    show(context, document, lambda: chord_text(found, acts, verbose=verbose))
    context.exit(1 if found.is_stuck else 0)


@chords.command()
@MAX_HOURS
@DRY_RUN
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def revoke(context: click.Context, max_hours: float, dry_run: bool, yes: bool) -> None:
    """Give up the chords that are stuck: their missing parts are revoked, their bodies fail.

    \b
    flaskiq chords revoke --max-hours 1 --dry-run
    flaskiq chords revoke --max-hours 1
    """
    enter(context)
    from flaskiq.chords import revoke as revoke_chord

    found = _stuck(max_hours)
    if found and not dry_run and not yes and _asks():
        confirm(f"Revoke {counted(found)}?", yes=False)
    _repair(context, found, lambda each: revoke_chord(each, dry_run=dry_run), dry_run=dry_run)


@chords.command()
@ID
@DRY_RUN
@click.option("--fail", is_flag=True, help="Lost parts have failed, and are not run again.")
@click.option(
    "--queue", metavar="NAME", help="Where parts go that wait in a queue which nobody consumes."
)
@click.pass_context
def recover(
    context: click.Context, chord_id: str, dry_run: bool, fail: bool, queue: str | None
) -> None:
    """Let a stuck chord end: enqueue its lost parts again, count what has ended, call its body.

    \b
    flaskiq chords recover ID --dry-run
    flaskiq chords recover ID
    flaskiq chords recover ID --fail
    """
    enter(context)
    from flaskiq.chords import recover as recover_chord

    found = _known(chord_id)
    _repair(
        context,
        [found],
        lambda each: recover_chord(each, dry_run=dry_run, fail=fail, queue=queue),
        dry_run=dry_run,
    )


@chords.command()
@click.option("--force", is_flag=True, help="Do it; without this it only counts.")
@click.option("--all-queues", is_flag=True, help="Throw away every ready job, of chords or not.")
@click.pass_context
def clean(context: click.Context, force: bool, all_queues: bool) -> None:
    """Take the ready parts of stuck chords away; the chords end, and their bodies fail.

    \b
    flaskiq chords clean
    flaskiq chords clean --force
    flaskiq chords clean --force --all-queues
    """
    enter(context)
    from flaskiq import api
    from flaskiq.chords import chords as all_chords
    from flaskiq.chords import clean as clean_chord

    found = [each for each in all_chords() if each.is_stuck or all_queues]
    if force and not is_json(context):
        parts = sum(len(clean_chord(each.id, dry_run=True)) for each in found)
        click.echo(f"{parts} parts of {counted(found)} are to be cleaned.", err=True)
    queues = {queue.name: queue.size for queue in api.Queue.all()} if all_queues else {}
    steps = {
        each.id: _attempt(lambda chord_id: clean_chord(chord_id, dry_run=not force), each.id)
        for each in found
    }
    is_busy = None in steps.values()
    if force:
        queues = {name: api.Queue(name).clear() for name in queues}
    parts = sum(len(done or ()) for done in steps.values())
    document = {
        "forced": force,
        "chords": {each: [step.as_dict() for step in done or ()] for each, done in steps.items()},
        "parts": parts,
        "queues": queues,
    }
    verb = "Cleaned" if force else "Would clean"
    text = f"{verb} {parts} parts of {counted(found)}"
    if all_queues:
        text += (
            f"; {sum(queues.values())} ready jobs of all queues{'' if force else ', theirs too'}"
        )
    show(context, document, lambda: f"{text}." if force else f"{text}; add --force.")
    is_left = not force and bool(parts or sum(queues.values()))
    context.exit(1 if is_busy or is_left else 0)


@chords.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@MAX_HOURS
@click.pass_context
def fix(context: click.Context, yes: bool, max_hours: float) -> None:
    """Go through the stuck chords, and recover each.

    It asks before each on a terminal; without one it acts with --yes only.

    \b
    flaskiq chords fix
    flaskiq chords fix --yes
    """
    enter(context)
    from flaskiq.chords import chord, recover

    found = _stuck(max_hours)
    steps: dict[str, list[Step]] = {}
    for each in found:
        if not is_json(context):
            click.echo(chord_text(each, []), err=True)
        plan = recover(each.id, dry_run=True)
        if not is_json(context):
            click.echo(step_text(plan, dry_run=True), err=True)
        if plan and (yes or (_asks() and click.confirm("Do it?", err=True))):
            steps[each.id] = _attempt(recover, each.id) or []
    left = [each.id for each in found if chord(each.id).is_stuck or each.id not in steps]
    document = {
        "stuck": len(found),
        "fixed": {each: [step.as_dict() for step in done] for each, done in steps.items()},
        "left": left,
    }
    text = "No stuck chords."
    if found:
        text = f"Acted on {len(steps)} of {counted(found)}."
        if left and not yes and not _asks():
            text += " There is no terminal to ask at; add --yes."
    show(context, document, lambda: text)
    context.exit(1 if left else 0)


def _repair(
    context: click.Context, found: Sequence[ChordRecord], repair: Repair, *, dry_run: bool
) -> None:
    from flaskiq.chords import chord

    steps = {each.id: _attempt(repair, each.id) for each in found}
    is_busy = None in steps.values()
    after = [chord(each.id) for each in found]
    document = {
        "dry_run": dry_run,
        "chords": [
            {**each.as_dict(), "acts": [step.as_dict() for step in steps[each.id] or ()]}
            for each in after
        ],
    }

    def text() -> str:
        if not found:
            return "No stuck chords."
        lines = []
        for each in after:
            lines.append(f"Chord {each.id} is {each.verdict}: {each.reason}.")
            lines.append(step_text(steps[each.id] or (), dry_run=dry_run))
        return "\n".join(lines)

    show(context, document, text)
    is_left = any(each.is_stuck for each in after)
    context.exit(1 if is_busy or (is_left and not dry_run) else 0)


def _attempt(repair: Repair, chord_id: str) -> list[Step] | None:
    """Repair a chord, and return what was done; None if somebody else does so just now."""
    from flaskiq.errors import ChordBusyError

    try:
        return repair(chord_id)
    except ChordBusyError as error:
        click.echo(f"Error: {error}", err=True)
        return None


def _stuck(max_hours: float) -> list[ChordRecord]:
    from flaskiq.chords import check_stuck_chords

    return check_stuck_chords(max_hours)


def _known(chord_id: str) -> ChordRecord:
    from flaskiq.chords import Verdict, chord

    found = chord(chord_id)
    if found.verdict is Verdict.UNKNOWN:
        raise click.ClickException(
            f"No chord {chord_id} is known; flaskiq chords status lists them, and one that ended "
            "is forgotten after a day."
        )
    return found


def _asks() -> bool:
    return sys.stdin.isatty()


def _seen(watched: dict[str, Any]) -> str:
    if not watched:
        return "No worker has looked at them yet (FLASKIQ_CHORD_WATCH)."
    ago = time.time() - watched["looked_at"]
    return f"A worker looked {ago:.0f} s ago: {watched['stuck']:.0f} stuck."
