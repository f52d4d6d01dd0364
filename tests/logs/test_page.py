"""docs/logs.md says what is logged."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from logged import Logged
from waiting import until

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[2] / "docs/logs.md").read_text()


def rows(section: str) -> list[list[str]]:
    """Return the cells of the table in a section."""
    body = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [line.strip("| ").split(" | ") for line in body.splitlines() if line.startswith("| `")]


def block(form: str, beginning: str) -> str:
    """Return the block of the page that begins so."""
    found = rf"^```{form}\n({re.escape(beginning)}.*?)\n```$"
    return str(re.findall(found, PAGE, re.MULTILINE | re.DOTALL)[0])


EXAMPLES = (
    (r":\\ 3$", ": .*"),
    (r"shop\\\.\w+", r"[\w.]+"),
    (r"\\\[\w+\\\.\\\.\\\.\\\]", r"\[[\w-]+\]"),
    (r"ded7\\\.\\\.\\\.", r"[\w-]+"),
    (r"\w+\\\('.*'\\\)", ".*"),
    (r"\\\.\\\.\\\.", ".*"),
    (r"(?<!\w)\d+(\\\.\d+)?", r"[\d.e-]+"),
)
"""The result, names, ids, errors, what is left out and numbers: as a row has them, and all."""


def pattern(words: str) -> str:
    """Return what matches the words of a row, whatever stands in place of its examples."""
    found = re.escape(words)
    for example, other in EXAMPLES:
        found = re.sub(example, lambda _, other=other: other, found)
    return found


OUTCOMES = [(cells[0].strip("`"), cells[1].strip("`"), cells[2]) for cells in rows("Outcomes")]


def told(logged: Logged) -> list[dict[str, Any]]:
    """Return all lines about outcomes."""
    return [line for line in logged.lines if "outcome" in line]


def is_like(line: dict[str, Any], words: str) -> bool:
    """Whether a line has the words of a row."""
    return bool(re.fullmatch(pattern(words), line["message"], re.DOTALL))


def test_each_row_is_a_line(pool: str, logged: Logged) -> None:
    if pool in {"threads", "solo"}:
        pytest.skip("a job cannot be ended there")
    for outcome, words, level in OUTCOMES:
        found = [line for line in told(logged) if is_like(line, words)]
        assert (outcome, level) in {(line["outcome"], line["level"]) for line in found}, words


def test_each_line_is_in_a_row(logged: Logged) -> None:
    for line in told(logged):
        assert [
            words
            for outcome, words, level in OUTCOMES
            if (outcome, level) == (line["outcome"], line["level"]) and is_like(line, words)
        ], line


def test_the_fields_are_those_of_the_table(logged: Logged) -> None:
    known = {cells[0].strip("`") for cells in rows("JSON")}
    given = {"order", "url", "odd", "long", "broken"}
    found = {name for line in logged.lines for name in line}
    assert found - given == known - {"stack"}
    assert {*json.loads(block("json", "{"))} <= known


TEXT = re.compile(
    r"^\[[\d-]+ [\d:,]+: INFO/\S+\] Task logs_app\.Add\[([\w-]+)\] succeeded in [\d.e-]+s: (.*)"
    r" outcome=done queue=default attempt=1 duration=[\d.]+( \[organization_id=acme\])?$",
    re.MULTILINE,
)


def test_the_text_is_counted_by_what_counts_celery_s(
    start_logged: Any, logs_app: ModuleType, tmp_path: Path
) -> None:
    hidden = block("python", "from flask import Flask").partition('["CELERY"] = ')[2]
    settings = json.dumps(eval(hidden.splitlines()[0]))
    worker = start_logged(**{logs_app.OVERRIDES: settings})
    with logs_app.app.app_context():
        jobs = logs_app.Add.perform_bulk([(number, 4_000_000) for number in range(20)])
        logs_app.Discards.perform_async()
        mine = logs_app.Add.set(headers={"organization_id": "acme"}).perform_async(1, 4_000_000)
        until(lambda: len(TEXT.findall(worker.output)) == 21, "all are written")
        until(lambda: "outcome=discarded" in worker.output, "this, too")
    worker.end()
    lines = TEXT.findall(worker.output)
    assert {job_id for job_id, *_ in lines} == {each.id for each in (*jobs, mine)}
    assert [tenant for job_id, _, tenant in lines if job_id == mine.id] == [
        " [organization_id=acme]"
    ]
    assert {result for _, result, _ in lines} == {", ..."}, "results are hidden"
    (tmp_path / "worker.log").write_text(worker.output)
    counting = block("sh", "grep").splitlines()[0]
    counted = subprocess.run(
        counting, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert int(counted.stdout) == 21
    # The example is of the same shape.
    example = block("", "[").replace("shop.", "logs_app.").replace("...", "0")
    assert TEXT.search(example)
