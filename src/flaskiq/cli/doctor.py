"""``flaskiq doctor``: what is wrong with an app, its broker and its workers, and how to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from flaskiq.cli.output import show, table

if TYPE_CHECKING:
    from flaskiq.doctor.examination import Diagnosis
    from flaskiq.doctor.finding import Finding, Level
    from flaskiq.doctor.settings import Shown


@click.command()
@click.option("--settings", "with_settings", is_flag=True, help="Show every setting too, masked.")
@click.option(
    "--timeout",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0.1),
    help="Seconds that workers have to answer.",
)
@click.pass_context
def doctor(context: click.Context, with_settings: bool, timeout: float) -> None:
    """Find what is wrong, and say how to mend it.

    Looks at the broker (version, eviction, persistence, clock), at the queues (who consumes them,
    who can run their jobs), and at the app (time limits, acknowledgement, results, TLS, settings
    that act on nothing). It changes nothing.

    Exit code: 1 if there is a problem; warnings alone are 0. With --json: {"ok", "counts",
    "findings": [{"level", "check", "what", "why", "mend"}], "skipped", "settings"}.
    """
    from flaskiq.cli.locate import locate
    from flaskiq.doctor.examination import examine
    from flaskiq.doctor.finding import Level
    from flaskiq.doctor.patient import Patient
    from flaskiq.doctor.settings import shown

    patient = Patient(locate(context).state, timeout=timeout)
    diagnosis, settings = examine(patient), shown(patient)
    show(
        context,
        _document(diagnosis, settings),
        lambda: _text(diagnosis, settings if with_settings else []),
    )
    context.exit(1 if diagnosis.of(Level.PROBLEM) else 0)


def _document(diagnosis: Diagnosis, settings: list[Shown]) -> dict[str, Any]:
    from flaskiq.doctor.finding import Level

    return {
        "ok": not diagnosis.of(Level.PROBLEM),
        "counts": {level.value: len(diagnosis.of(level)) for level in Level},
        "findings": [
            {**finding._asdict(), "level": finding.level.value, "check": check}
            for level in Level
            for check, finding in diagnosis.of(level)
        ],
        "skipped": diagnosis.skipped,
        "settings": [each._asdict() for each in settings],
    }


def _text(diagnosis: Diagnosis, settings: list[Shown]) -> str:
    from flaskiq.doctor.finding import Level
    from flaskiq.doctor.settings import as_text

    parts = [_group(level, found) for level in Level if (found := diagnosis.of(level))]
    if diagnosis.skipped:
        parts.append(f"Not looked at without the broker: {', '.join(diagnosis.skipped)}")
    if settings:
        rows = [(each.name, as_text(each.value), each.source) for each in settings]
        parts.append(table(("SETTING", "VALUE", "SOURCE"), rows, ""))
    return "\n\n".join([*parts, _summary(diagnosis)])


_HEADINGS = {
    "problem": ("Problems", "red"),
    "warning": ("Warnings", "yellow"),
    "info": ("Good to know", "cyan"),
    "ok": ("All right", "green"),
}


def _group(level: Level, found: list[tuple[str, Finding]]) -> str:
    heading, colour = _HEADINGS[level.value]
    width = max(len(check) for check, _ in found)
    lines = [click.style(heading, fg=colour, bold=True)]
    for check, finding in found:
        lines.append(f"  {click.style(check.ljust(width), fg=colour)}  {finding.what}")
        indent = " " * (width + 4)
        lines += [f"{indent}{finding.why}"] if finding.why else []
        lines += [f"{indent}Mend: {finding.mend}"] if finding.mend else []
    return "\n".join(lines)


def _summary(diagnosis: Diagnosis) -> str:
    from flaskiq.doctor.finding import Level

    problems, warnings = (len(diagnosis.of(level)) for level in (Level.PROBLEM, Level.WARNING))
    if not problems and not warnings:
        return click.style("All is well.", fg="green")
    colour = "red" if problems else "yellow"
    return click.style(f"{_count(problems, 'problem')}, {_count(warnings, 'warning')}.", fg=colour)


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
