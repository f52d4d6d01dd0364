"""An upload from end to end: web side, broker and worker."""

from __future__ import annotations

import csv
import io
import statistics
from pathlib import Path
from typing import Any

from processes import Process

SAMPLE = Path(__file__).parents[2] / "examples" / "data" / "weather.csv"
PLANTED = [417, 1203, 2291]


def test_an_upload_is_profiled_while_its_progress_is_seen(backend: Any, worker: Process) -> None:
    answer = backend.upload("weather.csv", SAMPLE.read_bytes())
    assert answer.status_code == 202
    job_id = answer.json()["job_id"]

    seen: set[int] = set()
    states: list[str] = []
    while not states or states[-1] in ("queued", "running"):
        job = backend.job(job_id)
        states.append(job["state"])
        if job["progress"]:
            assert job["state"] == "running"
            assert job["progress"]["total"] == 2922
            assert job["progress"]["note"] == f"line {job['progress']['done'] + 1}"
            seen.add(job["progress"]["done"])

    assert len(seen) >= 2, seen
    assert job["id"] == job_id
    assert (job["state"], job["error"], job["progress"]) == ("done", None, None)
    assert [bad["line"] for bad in job["result"]["bad_rows"]] == PLANTED
    rows = list(enumerate(csv.DictReader(io.StringIO(SAMPLE.read_text())), start=2))
    for name in ("precipitation", "temp_max", "temp_min", "wind"):
        values = [float(row[name]) for line, row in rows if line not in PLANTED]
        column = job["result"]["columns"][name]
        assert column["count"] == len(values) == job["result"]["rows"]
        assert column["min"] == min(values)
        assert column["max"] == max(values)
        assert column["mean"] == statistics.mean(values)
    assert list(job["result"]["columns"])[:3] == ["location", "date", "precipitation"]


def test_a_file_that_cannot_be_read_ends_dead_with_its_reason(
    backend: Any, worker: Process
) -> None:
    job_id = backend.upload("photo.csv", b"\x89PNG\r\n\x1a\n\xff").json()["job_id"]
    job = backend.wait_for(job_id, "dead", "done")
    assert job["error"] == {
        "type": "ValueError",
        "message": "the file is not UTF-8 text; export it as CSV with the encoding UTF-8",
    }
    assert job["result"] is None
