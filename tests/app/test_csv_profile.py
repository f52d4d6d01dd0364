"""The profile of a CSV file, held against Python's own csv and statistics."""

from __future__ import annotations

import csv
import json
import statistics
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SAMPLE = Path(__file__).parents[2] / "examples" / "data" / "weather.csv"
PLANTED = [417, 1203, 2291]
NUMERIC = ["precipitation", "temp_max", "temp_min", "wind"]


Profiler = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def profile_of(csv_profile: ModuleType) -> Profiler:
    def profile_of(path: Path, chunk_rows: int = 250) -> dict[str, Any]:
        profile = csv_profile.Profile(csv_profile.take_survey(path))
        for rows in csv_profile.chunks(path, chunk_rows):
            profile.add(rows)
        result: dict[str, Any] = profile.result()
        return result

    return profile_of


@pytest.fixture
def profiled(tmp_path: Path, profile_of: Profiler) -> Profiler:
    def profiled(content: str | bytes, chunk_rows: int = 250) -> dict[str, Any]:
        path = tmp_path / "data.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return profile_of(path, chunk_rows)

    return profiled


@pytest.fixture(scope="module")
def sample(profile_of: Profiler) -> dict[str, Any]:
    return profile_of(SAMPLE)


@pytest.fixture(scope="module")
def good_rows() -> list[dict[str, str]]:
    with SAMPLE.open(newline="") as file:
        rows = list(enumerate(csv.DictReader(file), start=2))
    return [row for line, row in rows if line not in PLANTED]


class TestSample:
    def test_finds_exactly_the_planted_rows(self, sample: dict[str, Any]) -> None:
        assert sample["bad_rows"] == [
            {"line": 417, "reason": "8 fields instead of 7"},
            {"line": 1203, "reason": "precipitation: 'trace' is not a number"},
            {"line": 2291, "reason": "date: '2014-04-38' is not a date"},
        ]
        assert sample["bad_row_count"] == 3

    def test_counts_the_good_rows(
        self, sample: dict[str, Any], good_rows: list[dict[str, str]]
    ) -> None:
        assert sample["rows"] == len(good_rows) == 2919

    def test_finds_the_types(self, sample: dict[str, Any]) -> None:
        assert {name: column["type"] for name, column in sample["columns"].items()} == {
            "location": "text",
            "date": "date",
            **dict.fromkeys(NUMERIC, "number"),
            "weather": "text",
        }

    @pytest.mark.parametrize("name", NUMERIC)
    def test_numbers_equal_those_of_python(
        self, name: str, sample: dict[str, Any], good_rows: list[dict[str, str]]
    ) -> None:
        values = [float(row[name]) for row in good_rows]
        assert sample["columns"][name] == {
            "type": "number",
            "count": len(values),
            "missing": 0,
            "min": min(values),
            "max": max(values),
            "mean": statistics.mean(values),
        }

    def test_dates_have_a_first_and_a_last(
        self, sample: dict[str, Any], good_rows: list[dict[str, str]]
    ) -> None:
        dates = [row["date"] for row in good_rows]
        assert sample["columns"]["date"]["min"] == min(dates)
        assert sample["columns"]["date"]["max"] == max(dates)
        assert sample["columns"]["date"]["mean"] is None

    @pytest.mark.parametrize("chunk_rows", [1, 7, 2922, 10_000])
    def test_the_size_of_a_chunk_changes_nothing(
        self, chunk_rows: int, sample: dict[str, Any], profile_of: Profiler
    ) -> None:
        assert profile_of(SAMPLE, chunk_rows) == sample

    def test_survives_json(self, sample: dict[str, Any]) -> None:
        assert json.loads(json.dumps(sample)) == sample


class TestTypes:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            (["1", "-2", "+3", "007"], "integer"),
            (["1", "2", "3", "2.5"], "number"),
            (["1e3", ".5", "-2.", "4"], "number"),
            ([str(2**63 - 1)], "integer"),
            ([str(2**63)], "number"),
            (["2024-02-29", "2024-02-29 23:59", "2024-02-29T23:59:01"], "date"),
            (["2023-02-29"], "text"),
            (["nan", "inf", "1e999"], "text"),
            (["1_000", "٣"], "text"),  # int() takes both
            (["1,5"], "text"),
            (["", ""], "text"),
            (["1", "x"], "text"),
            (["1", "2024-01-01"], "text"),
        ],
    )
    def test_is_the_narrowest_that_fits(
        self, values: list[str], expected: str, profiled: Profiler
    ) -> None:
        rows = "".join(f'"{value}",k\n' for value in values)
        assert profiled(f"v,k\n{rows}")["columns"]["v"]["type"] == expected

    def test_needs_95_percent(self, profiled: Profiler) -> None:
        nineteen = "1\n" * 19
        typed = profiled(f"v\n{nineteen}x\n")
        assert typed["columns"]["v"]["type"] == "integer"
        assert typed["bad_rows"] == [{"line": 21, "reason": "v: 'x' is not an integer"}]
        text = profiled(f"v\n{nineteen}x\ny\n")
        assert text["columns"]["v"]["type"] == "text"
        assert text["bad_row_count"] == 0

    def test_a_rare_decimal_among_integers_is_no_fault(self, profiled: Profiler) -> None:
        result = profiled("v\n" + "1\n" * 99 + "1.5\n")
        assert result["columns"]["v"]["type"] == "number"
        assert result["bad_row_count"] == 0

    def test_integers_have_the_mean_of_integers(self, profiled: Profiler) -> None:
        values = [2**62, 2**62 + 2, 3, 4]
        column = profiled("v\n" + "".join(f"{value}\n" for value in values))["columns"]["v"]
        assert column["mean"] == statistics.mean(values)
        whole = profiled(f"v\n{2**62}\n{2**62 + 2}\n")["columns"]["v"]["mean"]
        assert whole == 2**62 + 1
        assert isinstance(whole, int)

    def test_the_mean_of_floats_is_exact(self, profiled: Profiler) -> None:
        values = [1e16, 1.0, -1e16, 0.1, 1e-300, 1e308, -1e308]
        column = profiled("v\n" + "".join(f"{value!r}\n" for value in values))["columns"]["v"]
        assert column["mean"] == statistics.mean(values)


class TestRows:
    def test_empty_fields_are_missing_not_bad(self, profiled: Profiler) -> None:
        result = profiled("a,b\n1,\n,x\n 3 ,y\n")
        assert result["rows"] == 3
        assert result["columns"]["a"] == {
            "type": "integer",
            "count": 2,
            "missing": 1,
            "min": 1,
            "max": 3,
            "mean": 2,
        }
        assert result["columns"]["b"]["missing"] == 1

    def test_bad_rows_stay_out_of_every_statistic(self, profiled: Profiler) -> None:
        result = profiled("a,b\n" + "1,2\n" * 40 + "999,x\n999\n")
        assert result["bad_row_count"] == 2
        assert (result["columns"]["a"]["max"], result["columns"]["b"]["count"]) == (1, 40)

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("mark", ["", "\ufeff"])
    def test_lines_are_those_of_an_editor(self, end: str, mark: str, profiled: Profiler) -> None:
        lines = [f"{mark}a,b", "1,x", '2,"two', 'lines"', "", "3", "4,y"]
        result = profiled(end.join(lines))
        assert result["bad_rows"] == [{"line": 6, "reason": "1 fields instead of 2"}]
        assert result["rows"] == 3
        assert list(result["columns"]) == ["a", "b"]

    def test_a_row_is_named_by_the_line_it_starts_on(self, profiled: Profiler) -> None:
        result = profiled('a,b\n1,x\n"2\n2",y,z\n3,x\n')
        assert [row["line"] for row in result["bad_rows"]] == [3]

    def test_wrong_quotes_spoil_one_row(self, profiled: Profiler) -> None:
        result = profiled('a,b\n1,"x"y\n2,z\n')
        assert [row["line"] for row in result["bad_rows"]] == [2]
        assert result["rows"] == 1

    def test_a_quote_that_is_never_closed_is_told_where_it_opens(self, profiled: Profiler) -> None:
        result = profiled('a,b\n1,x\n2,"z\n3,x\n')
        assert result["rows"] == 1
        [bad] = result["bad_rows"]
        assert bad["line"] == 3
        assert "never closed" in bad["reason"]

    def test_lists_the_first_hundred_bad_rows_and_counts_all(self, profiled: Profiler) -> None:
        result = profiled("a,b\n" + "1\n" * 250, chunk_rows=90)
        assert (result["rows"], result["bad_row_count"]) == (0, 250)
        assert [row["line"] for row in result["bad_rows"]] == list(range(2, 102))

    def test_columns_without_a_name_are_numbered(self, profiled: Profiler) -> None:
        assert list(profiled(",b,\n1,2,3\n")["columns"]) == ["column 1", "b", "column 3"]


class TestRefused:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "is empty"),
            (b"\n\n", "is empty"),
            (b"a,b\n", "no rows"),
            (b"a,b,a\n1,2,3\n", "'a' more than once"),
            (b'"a"x,b\n1,2\n', "line 1 should name the columns"),
            (b"\x89PNG\r\n\x1a\n\xff\xfe", "not UTF-8"),
            (b"a,b\n1,caf\xe9\n", "not UTF-8"),
            (b"a,b\n1,\x00\n", "line 2 has a NUL byte"),
        ],
    )
    def test_says_why(self, content: bytes, message: str, profiled: Profiler) -> None:
        with pytest.raises(ValueError, match=message):
            profiled(content)

    def test_a_chunk_of_no_rows(self, profile_of: Profiler) -> None:
        with pytest.raises(ValueError, match="at least 1 row"):
            profile_of(SAMPLE, chunk_rows=0)


def test_memory_does_not_grow_with_the_file(tmp_path: Path, profile_of: Profiler) -> None:
    path = tmp_path / "long.csv"
    path.write_text("a,b\n" + "1.25,some text that is not short\n" * 8_000)
    tracemalloc.start()
    try:
        profile_of(path, chunk_rows=100)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200_000  # bytes; the rows would take ten times as much
