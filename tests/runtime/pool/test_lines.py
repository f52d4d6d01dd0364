"""Log lines of jobs: written many at once, in order, and none of an app is lost."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from logging.handlers import WatchedFileHandler
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pool_node import Records, StartNode
from waiting import until

from flaskiq.runtime.pool.lines import MOST, Lines, gather


class Written(logging.Handler):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def gathered(written: Written) -> Lines:
    """What stands before a handler now; pytest has handlers of its own there."""
    return next(lines for lines in gather() if lines.target is written)


@pytest.fixture
def tracer() -> Iterator[logging.Logger]:
    """The logger of Celery's tracer, with no handlers around it and as it was afterwards."""
    logger = logging.getLogger("celery.app.trace")
    kept = logger.handlers[:], logger.propagate, logger.level
    logger.handlers[:], logger.propagate = [], False
    logger.setLevel(logging.INFO)
    yield logger
    logger.handlers[:], logger.propagate = kept[0], kept[1]
    logger.setLevel(kept[2])


def test_lines_of_jobs_wait_for_company(tracer: logging.Logger) -> None:
    written = Written()
    tracer.addHandler(written)
    lines = gathered(written)
    tracer.info("one")
    tracer.info("two")
    assert written.lines == []
    lines.flush()
    assert written.lines == ["one", "two"]


def test_nothing_overtakes_them(tracer: logging.Logger) -> None:
    written = Written()
    tracer.addHandler(written)
    gather()
    tracer.info("one")
    tracer.error("two")
    assert written.lines == ["one", "two"]


def test_they_are_written_when_there_are_many(tracer: logging.Logger) -> None:
    written = Written()
    tracer.addHandler(written)
    gather()
    for number in range(MOST):
        tracer.info("%d", number)
    assert len(written.lines) == MOST


class Pieces(io.StringIO):
    """A stream that keeps what it is given in one piece."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def write(self, piece: str) -> int:
        self.pieces.append(piece)
        return len(piece)


def say(lines: Lines, words: str, *args: Any, level: int = logging.INFO) -> None:
    """Hand a record of the tracer to its handler; pytest has others at its logger."""
    lines.handle(logging.LogRecord("celery.app.trace", level, "", 0, words, args, None))


def test_a_stream_is_given_them_in_one_piece() -> None:
    stream = Pieces()
    handler = logging.StreamHandler(stream)
    handler.addFilter(lambda record: "secret" not in record.getMessage())
    lines = Lines(handler)
    for words in ("one", "a secret", "two"):
        say(lines, words)
    say(lines, "three", level=logging.ERROR)
    assert stream.pieces == ["one\ntwo\nthree\n"]
    assert lines.buffer == []


def test_a_line_that_cannot_be_written_costs_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    stream = Pieces()
    lines = Lines(logging.StreamHandler(stream))
    say(lines, "one")
    say(lines, "%d of them", "many")
    say(lines, "two", level=logging.ERROR)
    assert stream.pieces == ["one\ntwo\n"]
    assert "--- Logging error ---" in capsys.readouterr().err


def test_a_file_that_was_moved_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "worker.log"
    handler = WatchedFileHandler(path)
    lines = Lines(handler)
    say(lines, "one", level=logging.ERROR)
    path.rename(tmp_path / "worker.log.1")
    say(lines, "two")
    say(lines, "three", level=logging.ERROR)
    handler.close()
    assert path.read_text() == "two\nthree\n"


def test_a_handler_that_wants_less_gets_less(tracer: logging.Logger) -> None:
    written = Written()
    written.setLevel(logging.ERROR)
    tracer.addHandler(written)
    lines = gathered(written)
    tracer.info("one")
    lines.flush()
    assert written.lines == []


def test_a_process_that_a_job_forks_does_not_write_them_again(tracer: logging.Logger) -> None:
    written = Written()
    tracer.addHandler(written)
    lines = gathered(written)
    tracer.info("one")
    pid = os.fork()
    if not pid:
        os._exit(len(lines.buffer))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert len(lines.buffer) == 1


def test_what_a_job_logs_before_it_kills_its_process_is_written(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    node = start_node("-c", "1", "--max-tasks-per-child", "1000", children=1)
    killer = pool_jobs.SaysAndKills.perform_async()
    until(lambda: killer.state == "FAILURE", "three processes were killed")
    assert node.log.count("these are my last words") == 3
    assert node.log.count("and these the very last") == 3


def test_each_job_has_its_line_soon(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    node = start_node("-c", "1", children=1)
    results = pool_jobs.Echo.perform_bulk([(number,) for number in range(5)])
    until(
        lambda: all(f"[{each.id}] succeeded in" in node.log for each in results),
        "each is in the log",
    )
