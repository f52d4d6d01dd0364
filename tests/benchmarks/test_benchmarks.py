"""The benchmarks run, and write what others read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from servers import binary

pytest.importorskip("psutil", reason="pip install -r benchmarks/requirements.txt")

ROOT = Path(__file__).parents[2]

NUMBERS = {
    "rate", "p50_ms", "p95_ms", "pss_mb", "cpu_us", "commands_per_job", "bytes_per_job",
}  # fmt: skip


def run(*options: str) -> tuple[int, str]:
    """Run the program; on a timeout let it end what it has started."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        output, _ = process.communicate(timeout=100)
    finally:
        process.terminate()
        process.communicate()
    return process.returncode, output


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[dict[str, Any]]]:
    if binary() is None:
        pytest.skip("no Valkey or Redis server")
    file = tmp_path_factory.mktemp("benchmarks") / "rows.json"
    only, workload = "flaskiq/solo,celery/solo", "enqueue,drain"
    code, output = run("--quick", "--only", only, "--workload", workload, "--json", str(file))
    assert code == 0, output
    return output, json.loads(file.read_text())["rows"]


@pytest.mark.slow
def test_there_is_a_row_for_each_contestant_and_workload(
    report: tuple[str, list[dict[str, Any]]],
) -> None:
    _, rows = report
    assert [(row["contestant"], row["workload"]) for row in rows] == [
        ("flaskiq/solo", "enqueue"),
        ("celery/solo", "enqueue"),
        ("flaskiq/solo", "drain"),
        ("celery/solo", "drain"),
    ]


@pytest.mark.slow
def test_rows_have_the_numbers_of_their_workload(
    report: tuple[str, list[dict[str, Any]]],
) -> None:
    _, rows = report
    shown = {"rate", "cpu_us", "commands_per_job"}
    for row in rows:
        known = shown | {"bytes_per_job"} if row["workload"] == "enqueue" else shown
        assert {name for name in NUMBERS if row[name] is not None} == known
        assert all(row[name] > 0 for name in known)
        assert (row["processes"], row["runs"]) == (1, 1)
        assert (row["lost"], row["repeated"]) == (0, 0)


@pytest.mark.slow
def test_the_table_compares_with_stock_celery(
    report: tuple[str, list[dict[str, Any]]],
) -> None:
    output, rows = report
    ours, stock = (row for row in rows if row["workload"] == "drain")
    assert ours["baseline"] == stock["contestant"]
    assert ours["ratio"] == pytest.approx(ours["rate"] / stock["rate"], abs=0.01)
    assert f"{ours['ratio']:.2f}" in output


def test_an_unknown_workload_is_refused() -> None:
    code, output = run("--workload", "drian")
    assert code == 2
    assert "'drian' is none of enqueue, " in output


def test_every_contestant_is_listed_with_its_settings() -> None:
    code, output = run("--list")
    assert code == 0
    assert re.search(r"^flaskiq/default +flaskiq worker start: ", output, re.MULTILINE)
    assert re.search(r"^celery/prefork2 +celery worker -c 2", output, re.MULTILINE)


def test_the_test_kit_is_measured() -> None:
    command = [sys.executable, "-m", "benchmarks.testing", "--jobs=20", "--rounds=1", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    figures = json.loads(done.stdout)
    assert set(figures) == {"real", "fake", "drain", "ratio"}
    assert done.returncode == (figures["ratio"] >= 1 / 3)
