"""docs/metrics.md and docs/alerts.yml name the metrics that there are, and no others."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from processes import Process, Project
from scrape import Told, over_http
from servers import free_port
from waiting import until

from flaskiq.metrics.metric import CLUSTER, SHOWN, WORKER, Metric
from flaskiq.settings.table import NAMES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "metrics.md").read_text()
ALERTS = (DOCS / "alerts.yml").read_text()

METRICS = {each.name: each for each in (*CLUSTER, *WORKER)}

PROMQL = {
    "absent", "and", "by", "delta", "histogram_quantile", "increase", "le", "on", "or", "rate",
    "sum", "time", "unless", "without",
}  # fmt: skip
"""The words of the language that are used; whatever else is there is the name of a metric."""

RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(ALERTS)["groups"] for rule in group["rules"]
]


def row_of(metric: Metric) -> str:
    labels = ", ".join(f"`{each}`" for each in metric.labels) or "none"
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning} |"


def rows(section: str) -> list[str]:
    body = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [line for line in body.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize(("section", "table"), [("The exporter", CLUSTER), ("A worker", WORKER)])
def test_each_metric_is_on_the_page_and_no_other(section: str, table: tuple[Metric, ...]) -> None:
    expected = "\n".join(map(row_of, table))
    assert "\n".join(rows(section)) == expected, f"the table should be\n{expected}"


def test_names_are_as_prometheus_wants_them() -> None:
    for metric in METRICS.values():
        assert re.fullmatch(r"flaskiq(_[a-z]+)+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.meaning.endswith(".")
        assert not re.search(r"_(ms|millis\w*|minutes|hours)\b", metric.name), "base units"


def test_the_buckets_of_the_page_are_those_that_are_told() -> None:
    shown = ", ".join(f"{bound:g}" for bound in SHOWN)
    assert f"Buckets are the same for all: {shown} seconds." in PAGE


def check(expression: str) -> None:
    """See that an expression names only metrics that there are, by labels that they have."""
    found = re.findall(r"([a-z_:]+)\s*(?:\{([^}]*)\})?", re.sub(r'"[^"]*"', '""', expression))
    bare = re.sub(r"\b(?:by|on|without)\s*\([^)]*\)", "", expression)
    bare = re.sub(r'\{[^}]*\}|"[^"]*"|\[\w+\]', "", bare)
    words = set(re.findall(r"[a-zA-Z_:]+", bare)) - PROMQL
    assert words, expression
    for word in words:
        assert base(word) in METRICS, f"{word} in {expression}"
    for word, selector in found:
        for label in re.findall(r"(\w+)\s*[=!]", selector):
            assert label in METRICS[base(word)].labels, f"{label} in {expression}"
    grouped = re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression)
    known = {label for word in words for label in METRICS[base(word)].labels} | {"le"}
    assert {each.strip() for group in grouped for each in group.split(",")} <= known, expression
    assert expression.count("(") == expression.count(")")


def base(name: str) -> str:
    """The metric of a series: a histogram has several."""
    for suffix in ("_bucket", "_count", "_sum"):
        stem = name.removesuffix(suffix)
        if stem in METRICS and METRICS[stem].kind == "histogram":
            return stem
    return name


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_is_complete_and_asks_for_metrics_that_there_are(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Flaskiq[A-Z]\w+", rule["alert"])
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(rule["annotations"]) == {"summary", "description"}
    check(rule["expr"])
    labels = {label for name in METRICS if name in rule["expr"] for label in METRICS[name].labels}
    text = " ".join(rule["annotations"].values())
    assert {*re.findall(r"\$labels\.(\w+)", text)} <= labels | {"instance"}
    assert {*re.findall(r"\bFLASKIQ_\w+", text)} <= NAMES


def test_the_names_of_the_alerts_differ() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES) > 10


def test_an_expression_with_a_metric_that_there_is_not_is_found() -> None:
    for wrong in (
        "flaskiq_no_such_thing > 1",
        "flaskq_up == 0",
        'flaskiq_set_size{sett="dead"} > 0',
        "sum by (wrker) (rate(flaskiq_jobs_total[5m]))",
    ):
        with pytest.raises(AssertionError):
            check(wrong)


def test_the_questions_of_the_page_ask_for_metrics_that_there_are() -> None:
    questions = [row.split(" | ", 1)[1] for row in PAGE.splitlines() if row.startswith("| ")]
    expressions = [
        each.strip(" |`").replace("\\|", "|")
        for each in questions
        if each.startswith("`") and "(" in each
    ]
    found = [each for each in expressions if "flaskiq_" in each and " | " not in each]
    assert len(found) >= 4
    for each in found:
        check(each)


def test_the_programs_of_the_page_run_as_they_stand_there(
    jobs: ModuleType, folder: Project
) -> None:
    """On ports that are free here."""
    exporter, worker = str(free_port()), str(free_port())
    lines = [
        line.replace("9540", exporter).replace("9541", worker)
        for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
    ]
    programs: list[Process] = []
    for line in lines:
        if line == "flaskiq metrics":
            programs.append(folder.start("flaskiq", "metrics", METRICS_PORT=exporter))
            programs[-1].wait_for(f"Metrics at http://0.0.0.0:{exporter}/metrics")
        elif line.startswith("METRICS_PORT="):
            variable, *argv = line.split()
            assert variable == f"METRICS_PORT={worker}"
            programs.append(folder.start(*argv, METRICS_PORT=worker))
            programs[-1].wait_for(" ready.")
        else:
            done = run(folder, line)
            assert done.returncode == 0, done.stderr
            assert "flaskiq_up" in done.stdout or done.stdout == "pong\n", line
    assert len(programs) == 2
    told: Told = until(lambda: over_http(int(worker))(), "the worker tells")
    assert "flaskiq_worker_busy" in told.families


def run(folder: Project, line: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{folder.environ()['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line],
        cwd=folder.folder,
        env=folder.environ(PATH=path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
