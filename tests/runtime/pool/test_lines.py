"""Log lines of jobs: written many at once, in order, and none of an app is lost."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from logging.handlers import WatchedFileHandler
from pathlib import Path
from time import time
from types import ModuleType
from typing import Any

import pytest
from pool_node import Records, StartNode
from waiting import until

from flaskiq.current import CurrentJob, begin, end
from flaskiq.logs.records import name_jobs
from flaskiq.runtime.pool.lines import MOST, Lines, Said, gather
from flaskiq.tenant import Tenant


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


SUCCEEDED = "Task %(name)s[%(id)s] succeeded in %(runtime)ss: %(return_value)s"


def success(number: int) -> dict[str, Any]:
    """What the tracer says of a job."""
    return {"id": f"job-{number}", "name": "t", "runtime": 0.5, "return_value": number, "args": ()}


@pytest.fixture
def factory() -> Iterator[None]:
    """Records are made as in a worker, and as before afterwards."""
    make = logging.getLogRecordFactory()
    logging.setLogRecordFactory(logging.LogRecord)
    name_jobs()
    yield
    logging.setLogRecordFactory(make)


class Kept(logging.Handler):
    """Keeps the records that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.mark.usefixtures("factory")
def test_a_line_is_made_later_and_is_the_same(tracer: logging.Logger) -> None:
    kept, said = Kept(), Said()
    tracer.addHandler(kept)
    said.note(SUCCEEDED, success(0))
    before = time()
    said.note(SUCCEEDED, success(1))
    after = time()
    assert len(kept.records) == 1
    said.make()
    (first, second) = (vars(record) for record in kept.records)
    differ = {name for name in {*first, *second} if first.get(name) != second.get(name)}
    differ -= {"message", "asctime"}  # as handlers write them
    assert differ <= {"args", "data", "flaskiq_outcome", "created", "msecs", "relativeCreated"}
    assert kept.records[1].getMessage() == "Task t[job-1] succeeded in 0.5s: 1"
    assert second["flaskiq_outcome"].job_id == "job-1"
    assert second["data"] == second["args"] == success(1)
    assert before <= second["created"] <= after
    assert second["msecs"] == pytest.approx(second["created"] % 1 * 1000, abs=1.01)
    passed = second["relativeCreated"] - first["relativeCreated"]
    assert passed == pytest.approx(1000 * (second["created"] - first["created"]), abs=0.1)


@pytest.mark.usefixtures("factory")
def test_a_line_says_whose_job_it_was(tracer: logging.Logger) -> None:
    kept, said = Kept(), Said()
    tracer.addHandler(kept)
    said.note(SUCCEEDED, success(0))
    job = CurrentJob("job-1", "t", "low", 2, None, {})  # type: ignore[arg-type] # asks nobody
    tokens = begin(job, Tenant({"organization_id": "7"}, ("organization_id",)))
    said.note(SUCCEEDED, success(1))
    end(tokens)
    said.make()
    told = vars(kept.records[1])
    assert told["flaskiq_job"] is job
    assert told["flaskiq_tenant"] == " [organization_id=7]"
    assert (told["flaskiq_outcome"].queue, told["flaskiq_outcome"].attempt) == ("low", 2)


@pytest.fixture
def said(factory: None, monkeypatch: pytest.MonkeyPatch) -> Said:
    """What the lines of a process look after."""
    said = Said()
    monkeypatch.setattr("flaskiq.runtime.pool.lines.said", said)
    return said


def test_nothing_overtakes_what_was_said(tracer: logging.Logger, said: Said) -> None:
    written = Written()
    tracer.addHandler(written)
    gather()
    for number in range(3):
        said.note(SUCCEEDED, success(number))
    tracer.error("it failed")
    numbers = [line.rpartition(" ")[2] for line in written.lines]
    assert numbers == ["0", "1", "2", "failed"]


def test_a_line_that_cannot_be_logged_costs_no_other_and_no_job(
    tracer: logging.Logger, said: Said, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(record: logging.LogRecord) -> bool:
        if "job-1" in record.getMessage():
            raise ValueError("this filter is broken")
        return True

    kept = Kept()
    tracer.addHandler(kept)
    tracer.addFilter(refuse)
    try:
        for number in range(3):
            said.note(SUCCEEDED, success(number))
        said.make()
    finally:
        tracer.removeFilter(refuse)
    assert [vars(record)["data"]["id"] for record in kept.records] == ["job-0", "job-2"]
    assert "this filter is broken" in capsys.readouterr().err


def test_what_was_said_is_written_with_the_others(tracer: logging.Logger, said: Said) -> None:
    written = Written()
    tracer.addHandler(written)
    lines = gathered(written)
    for number in range(3):
        said.note(SUCCEEDED, success(number))
    lines.flush()
    assert len(written.lines) == 3


def test_a_factory_of_somebody_is_asked_at_once(tracer: logging.Logger, factory: None) -> None:
    kept, said = Kept(), Said()
    tracer.addHandler(kept)
    ours, asked = logging.getLogRecordFactory(), []

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        asked.append(args)
        return ours(*args, **kwargs)

    for number in range(2):
        said.note(SUCCEEDED, success(number))
    logging.setLogRecordFactory(make)
    said.note(SUCCEEDED, success(2))
    assert len(asked) == 1
    assert [vars(record)["data"]["return_value"] for record in kept.records] == [0, 1, 2]


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
