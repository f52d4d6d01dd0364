"""What is in a CSV file: rows, bad rows, and a type and statistics for each column. Pure.

Two passes, neither of which holds more than a chunk of rows: the first counts the rows and finds
the type of every column, the second checks each value and gathers exact statistics::

    survey = take_survey(path)
    profile = Profile(survey)
    for rows in chunks(path, 250):
        profile.add(rows)
    profile.result()

UTF-8 with or without a byte order mark, any line ends, quoted fields with line breaks. Line
numbers are those of an editor: the line on which a row starts.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

ColumnType = Literal["integer", "number", "date", "text"]
Value = int | float | str

BAD_ROWS_LISTED = 100
TYPED_PERCENT = 95
"""A column has a type when this share of its values does; the others make their rows bad."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?)?")


class Row(NamedTuple):
    """One row as it was read: ``fault`` says why it has no fields."""

    line: int
    fields: list[str]
    fault: str | None = None


@dataclass(frozen=True)
class Column:
    """A column of the file and the type that its values must have."""

    name: str
    type: ColumnType

    def parse(self, text: str) -> Value | None:
        """Return the value, or None for an empty field.

        Raises:
            ValueError: the text is not of the column's type.
        """
        text = text.strip()
        if not text:
            return None
        try:
            return _PARSERS[self.type](text)
        except ValueError:
            article = "an" if self.type == "integer" else "a"
            raise ValueError(f"{self.name}: {text[:40]!r} is not {article} {self.type}") from None


@dataclass(frozen=True)
class Survey:
    """What the first pass found: the typed columns and the number of rows below the header."""

    columns: tuple[Column, ...]
    rows: int


def take_survey(path: str | Path) -> Survey:
    """Read the file once and decide what its columns are.

    Raises:
        ValueError: the file is empty, has no rows, is no UTF-8 text, or its header is unusable.
        OSError: the file cannot be opened.
    """
    rows = _read(path)
    names = _column_names(next(rows, None))
    tallies: list[Counter[ColumnType]] = [Counter() for _ in names]
    count = 0
    for row in rows:
        count += 1
        if len(row.fields) == len(names):
            _tally(tallies, row.fields)
    if not count:
        raise ValueError("the file has a header but no rows; add at least one")
    types = map(_common_type, tallies)
    return Survey(tuple(map(Column, names, types)), count)


def chunks(path: str | Path, size: int) -> Iterator[list[Row]]:
    """Yield the rows below the header, ``size`` at a time.

    Raises:
        ValueError: ``size`` is below 1, or the file is no UTF-8 text.
    """
    if size < 1:
        raise ValueError(f"a chunk has at least 1 row, not {size}")
    rows = islice(_read(path), 1, None)
    while chunk := list(islice(rows, size)):
        yield chunk


class Profile:
    """The second pass: takes the rows, tells good from bad, and sums up the good ones."""

    def __init__(self, survey: Survey) -> None:
        self.rows = 0
        self.bad_rows: list[dict[str, Any]] = []
        self.bad_row_count = 0
        self._columns = survey.columns
        self._statistics = [Statistics(ranked=c.type != "text") for c in survey.columns]

    @property
    def seen(self) -> int:
        return self.rows + self.bad_row_count

    def add(self, rows: Iterable[Row]) -> None:
        """Take these rows in; a bad one is listed and leaves the statistics alone."""
        for row in rows:
            self._take(row)

    def result(self) -> dict[str, Any]:
        """Return the profile as JSON types.

        ``{"rows": good rows, "bad_row_count": n, "bad_rows": [{"line", "reason"}] (the first 100),
        "columns": {name: {"type", "count", "missing", "min", "max", "mean"}}}``. Text has no min
        and max, only numbers have a mean; these are then None.
        """
        return {
            "rows": self.rows,
            "bad_row_count": self.bad_row_count,
            "bad_rows": self.bad_rows,
            "columns": {
                column.name: {"type": column.type, **statistics.result()}
                for column, statistics in zip(self._columns, self._statistics, strict=True)
            },
        }

    def _take(self, row: Row) -> None:
        try:
            values = self._parse(row)
        except ValueError as reason:
            self._reject(row.line, str(reason))
        else:
            self._accept(values)

    def _parse(self, row: Row) -> list[Value | None]:
        if row.fault:
            raise ValueError(row.fault)
        if len(row.fields) != len(self._columns):
            raise ValueError(f"{len(row.fields)} fields instead of {len(self._columns)}")
        return [column.parse(text) for column, text in zip(self._columns, row.fields, strict=True)]

    def _reject(self, line: int, reason: str) -> None:
        self.bad_row_count += 1
        if self.bad_row_count <= BAD_ROWS_LISTED:
            self.bad_rows.append({"line": line, "reason": reason})

    def _accept(self, values: list[Value | None]) -> None:
        self.rows += 1
        for statistics, value in zip(self._statistics, values, strict=True):
            statistics.add(value)


class Statistics:
    """Count, min, max and mean of one column, equal to those of Python and ``statistics.mean``.

    ``ranked`` says whether smaller and larger mean anything for the values.
    """

    def __init__(self, *, ranked: bool) -> None:
        self._ranked = ranked
        self.count = 0
        self.missing = 0
        self.min: Any = None
        self.max: Any = None
        # Sums of numerators by denominator, as in the standard library: exact, without the
        # common denominator that makes adding fractions one by one slow.
        self._sums: Counter[int] = Counter()

    def add(self, value: Value | None) -> None:
        """Take one value in; None is a missing one."""
        if value is None:
            self.missing += 1
            return
        self.count += 1
        if self._ranked:
            self._rank(value)
        if not isinstance(value, str):
            numerator, denominator = value.as_integer_ratio()
            self._sums[denominator] += numerator

    def result(self) -> dict[str, Any]:
        return {
            "count": self.count,
            "missing": self.missing,
            "min": self.min,
            "max": self.max,
            "mean": self._mean(),
        }

    def _rank(self, value: Any) -> None:
        if self.count == 1 or value < self.min:
            self.min = value
        if self.count == 1 or value > self.max:
            self.max = value

    def _mean(self) -> int | float | None:
        if not self._sums:
            return None
        total = sum(Fraction(above, below) for below, above in self._sums.items())
        mean = Fraction(total, self.count)
        exact = isinstance(self.min, int) and mean.denominator == 1
        return int(mean) if exact else float(mean)


def _read(path: str | Path) -> Iterator[Row]:
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            yield from _rows(file)
    except UnicodeDecodeError as error:
        raise ValueError(
            "the file is not UTF-8 text; export it as CSV with the encoding UTF-8"
        ) from error


def _rows(file: Iterable[str]) -> Iterator[Row]:
    # strict: a stray quote is a bad row, instead of a field with the next rows in it.
    reader = csv.reader(_text(file), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(line, [], _explain(error))
        else:
            if fields:
                yield Row(line, fields)


def _text(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if "\0" in line:
            raise ValueError(f"line {number} has a NUL byte, so this is no CSV file")
        yield line


def _explain(error: csv.Error) -> str:
    if "unexpected end" in str(error):
        return "a quote is opened and never closed, so the lines below could not be read"
    return f"not CSV: {error}"


def _column_names(header: Row | None) -> list[str]:
    if header is None:
        raise ValueError("the file is empty; the first line of a CSV file names its columns")
    if header.fault:
        raise ValueError(f"line {header.line} should name the columns, but {header.fault}")
    names = [name.strip() or f"column {n}" for n, name in enumerate(header.fields, start=1)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"the header names {twice[0]!r} more than once; rename one of them")
    return names


def _tally(tallies: list[Counter[ColumnType]], fields: list[str]) -> None:
    for tally, field in zip(tallies, fields, strict=True):
        if text := field.strip():
            tally[_narrowest_type(text)] += 1


def _narrowest_type(text: str) -> ColumnType:
    for name, parse in _PARSERS.items():
        try:
            parse(text)
        except ValueError:
            continue
        return name
    return "text"


def _common_type(tally: Counter[ColumnType]) -> ColumnType:
    numbers = tally["integer"] + tally["number"]
    if _is_common(numbers, tally):
        # One decimal makes the column decimal: it is no fault among integers.
        return "number" if tally["number"] else "integer"
    return "date" if _is_common(tally["date"], tally) else "text"


def _is_common(count: int, tally: Counter[ColumnType]) -> bool:
    return count > 0 and count * 100 >= tally.total() * TYPED_PERCENT


def _integer(text: str) -> int:
    value = int(_matched(_INTEGER, text))
    if not -(2**63) <= value < 2**63:
        raise ValueError("wider than 64 bits")
    return value


def _number(text: str) -> float:
    value = float(_matched(_NUMBER, text))
    if value in (float("inf"), float("-inf")):
        raise ValueError("larger than a float")
    return value


def _date(text: str) -> str:
    datetime.fromisoformat(_matched(_DATE, text))
    # Stays text: in this form, without a time zone, it sorts as the dates do.
    return text.replace("T", " ")


def _matched(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError("another form")
    return text


_PARSERS: dict[ColumnType, Callable[[str], Value]] = {
    "integer": _integer,
    "number": _number,
    "date": _date,
    "text": str,
}
