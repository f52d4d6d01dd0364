"""The chaos harness: its account, and that it finds what it looks for."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import binary

ROOT = Path(__file__).parents[2]


def load(name: str) -> Any:
    """Import a module of ``chaos`` by its place: the root of the repository is not on the path."""
    if "chaos" not in sys.modules:
        spec = importlib.util.spec_from_file_location("chaos", ROOT / "chaos/__init__.py")
        assert spec is not None
        assert spec.loader is not None
        package = sys.modules["chaos"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(package)
    return importlib.import_module(f"chaos.{name}")


account, faults, ledger, logs = (load(name) for name in ("account", "faults", "ledger", "logs"))


def record(
    event: str, at: float, worker: str = "a.1", pid: int = 1, attempt: int = 1, thread: int = 0
) -> Any:
    return ledger.Record(event, 0, attempt, worker, pid, at, thread)


def pushed(at: float = 0.0, until: float = 0.0) -> list[Any]:
    return [record("push", at, "producer"), record("pushed", until or at, "producer")]


def ran(start: float, end: float | None, *who: Any, event: str = "done", attempt: int = 1) -> Any:
    ended = [record(event, end, *who, attempt=attempt)] if end is not None else []
    return [record("start", start, *who, attempt=attempt), *ended]


def died(start: float, at: float, worker: str, pid: int) -> list[Any]:
    """A run of a job that kills its process."""
    return [record("start", start, worker, pid), record("die", at, worker, pid)]


def fault(kind: str, at: float, worker: str | None = "a.1", pid: int | None = None) -> Any:
    return faults.Fault(kind, at, at, at + (1 if worker is None else 0), worker, pid)


def settled(
    *records: list[Any], hit: list[Any] | None = None, dead: Collection[int] = ()
) -> tuple[int, int, int]:
    """Return how many are lost, duplicates, unexplained."""
    lines = sorted((line for each in records for line in each), key=lambda line: line.at)
    known = faults.Faults([*(hit or []), *faults.poisonings(lines)])
    drawn_up = account.Account.draw_up(1, lines, known, dead=dead)
    numbers = drawn_up.numbers()
    return numbers["lost"], numbers["duplicates"], numbers["unexplained"]


AGAIN = ran(9, 10, "b.1", 2)


def test_a_job_that_runs_once_is_in_order() -> None:
    assert settled(pushed(), ran(1, 2)) == (0, 0, 0)


@pytest.mark.parametrize("records", [[], ran(1, None), ran(1, 2, event="fail")])
def test_a_job_that_is_never_done_is_lost(records: list[Any]) -> None:
    assert settled(pushed(), records)[0] == 1


@pytest.mark.parametrize("kind", sorted(faults.EXCUSES))
def test_a_job_may_run_again_after_its_process_died_or_froze(kind: str) -> None:
    assert settled(pushed(), ran(1, None), AGAIN, hit=[fault(kind, 2)]) == (0, 1, 0)


def test_a_frozen_process_may_end_its_job_later() -> None:
    assert settled(pushed(), ran(1, 12), AGAIN, hit=[fault("freeze", 2)]) == (0, 1, 0)


def test_a_frozen_process_may_start_later_what_it_was_about_to_start() -> None:
    frozen = faults.Fault("freeze", 0.5, 0.5, 8, "a.1")
    elsewhere = ran(7, 7.5, "b.1", 2)
    assert settled(pushed(), elsewhere, ran(8.05, 8.06), hit=[frozen]) == (0, 1, 0)
    assert settled(pushed(), ran(8.05, 8.06), AGAIN, hit=[frozen]) == (0, 1, 0)
    late = ran(8.2, 8.3)
    assert settled(pushed(), elsewhere, late, hit=[frozen]) == (0, 1, 1)
    outage = faults.Fault("server-kill", 7.6, 7.6, 9, None)
    assert settled(pushed(), elsewhere, ran(10, 11), hit=[frozen, outage]) == (0, 1, 0)
    second = ran(8.07, 8.08)
    assert settled(pushed(), elsewhere, ran(8.05, 8.06), second, hit=[frozen]) == (0, 2, 1)


def test_each_thread_of_a_frozen_process_may_start_one_job_later() -> None:
    frozen = faults.Fault("child-freeze", 0.5, 0.5, 8, "a.1", 1)
    elsewhere = ran(7, 7.5, "b.1", 2)

    def resumed(at: float, thread: int) -> list[Any]:
        return [record(event, at, thread=thread) for event in ("start", "done")]

    both = [*resumed(8.05, 11), *resumed(8.06, 12)]
    assert settled(pushed(), elsewhere, both, hit=[frozen]) == (0, 2, 0)
    same = [*resumed(8.05, 11), *resumed(8.06, 11)]
    assert settled(pushed(), elsewhere, same, hit=[frozen]) == (0, 2, 1)


@pytest.mark.parametrize(("killed", "unexplained"), [(2.9, 0), (3.1, 1)])
def test_an_acknowledgement_may_wait_for_one_second(killed: float, unexplained: int) -> None:
    found = settled(pushed(), ran(1, 2), AGAIN, hit=[fault("worker-kill", killed)])
    assert found == (0, 1, unexplained)


@pytest.mark.parametrize(("killed", "unexplained"), [(6.4, 0), (7.1, 1)])
def test_no_acknowledgement_is_expected_while_the_server_is_down(
    killed: float, unexplained: int
) -> None:
    """From 2 to 3 s, and until the process must have connected again."""
    hit = [fault("server-kill", 2, None), fault("worker-kill", killed)]
    assert settled(pushed(), ran(1, 1.5), AGAIN, hit=hit) == (0, 1, unexplained)


@pytest.mark.parametrize(
    "hit",
    [
        [],
        [fault("worker-kill", 2, "c.1")],
        [fault("child-kill", 2, "a.1", pid=3)],
        [fault("cut", 2)],
        [fault("server-kill", 2, None)],
        [fault("worker-kill", 9.5)],
        [fault("parent-kill", 2)],
        [fault("template-kill", 2)],
    ],
    ids=[
        "nothing",
        "another worker",
        "another child",
        "a cut",
        "a restart",
        "a later fault",
        "the parent",
        "the template",
    ],
)
def test_what_excuses_nothing(hit: list[Any]) -> None:
    assert settled(pushed(), ran(1, 9.5), AGAIN, hit=hit) == (0, 1, 1)


def test_one_death_excuses_one_more_run() -> None:
    runs = [ran(1, None), AGAIN, ran(11, 12, "c.1", 3)]
    assert settled(pushed(), *runs, hit=[fault("worker-kill", 2)]) == (0, 2, 1)


def test_a_process_that_froze_and_then_died_excuses_one_more_run() -> None:
    runs = [ran(1, None), AGAIN, ran(11, 12, "c.1", 3)]
    assert settled(pushed(), *runs, hit=[fault("freeze", 2), fault("worker-kill", 8)]) == (0, 2, 1)


@pytest.mark.parametrize(("deaths", "dead", "lost"), [(3, {0}, 0), (2, {0}, 1), (3, set(), 1)])
def test_a_job_belongs_into_the_dead_set_after_three_deaths(
    deaths: int, dead: set[int], lost: int
) -> None:
    workers = [f"a.{each}" for each in range(deaths)]
    runs = [ran(each, None, worker, each) for each, worker in enumerate(workers)]
    hit = [fault("worker-kill", each + 0.5, worker) for each, worker in enumerate(workers)]
    assert settled(pushed(), *runs, hit=hit, dead=dead) == (lost, deaths - 1, 0)


def test_what_belongs_into_the_dead_set_does_not_run_again() -> None:
    workers = [f"a.{each}" for each in range(3)]
    runs = [ran(each, None, worker, each) for each, worker in enumerate(workers)]
    hit = [fault("worker-kill", each + 0.5, worker) for each, worker in enumerate(workers)]
    assert settled(pushed(), *runs, AGAIN, hit=hit) == (0, 3, 1)


def test_a_job_that_kills_its_process_is_dead_after_three() -> None:
    starts = [died(each, each + 0.5, f"a.{each}", each) for each in range(4)]
    assert settled(pushed(), *starts[:3], dead={0}) == (0, 2, 0)
    assert settled(pushed(), *starts[:2], dead={0}) == (1, 1, 0)
    assert settled(pushed(), *starts[:3]) == (1, 2, 0)
    assert settled(pushed(), *starts, dead={0}) == (0, 3, 1)


def test_a_job_that_kills_its_process_may_have_been_in_another_that_died() -> None:
    starts = [died(each, each + 0.5, f"a.{each}", each) for each in (1, 2)]
    hit = [fault("worker-kill", 0.5, "b.1")]
    assert settled(pushed(), *starts, hit=hit, dead={0}) == (0, 1, 0)


def test_a_job_that_kills_its_process_excuses_its_neighbours() -> None:
    neighbour = [ledger.Record(event, 1, 1, "a.1", 1, 2.0) for event in ("start", "die")]
    lines = [*pushed(), *ran(1, None), *AGAIN, *neighbour]
    lines.sort(key=lambda line: line.at)
    known = faults.Faults(list(faults.poisonings(lines)))
    numbers = account.Account.draw_up(1, lines, known).numbers()
    assert (numbers["faults"], numbers["duplicates"], numbers["unexplained"]) == (0, 1, 0)


def test_a_push_that_was_repeated_is_two_jobs() -> None:
    lost_reply = [record("push", 0, "producer")]
    assert settled(lost_reply, pushed(0.5), ran(1, 2), AGAIN) == (0, 1, 0)


def test_a_push_across_an_outage_may_have_arrived_twice() -> None:
    outage = [fault("server-kill", 0.2, None)]
    assert settled(pushed(0.1, 2), ran(3, 4), AGAIN, hit=outage) == (0, 1, 0)
    assert settled(pushed(0.1), ran(3, 4), AGAIN, hit=outage) == (0, 1, 1)


def test_an_attempt_that_fails_twice_is_retried_once() -> None:
    """The outcome of a process that was taken for dead does not count."""
    first = [ran(1, 8, event="fail"), ran(5, 6, "b.1", 2, event="fail")]
    frozen = [fault("freeze", 2)]
    second = ran(9, 10, "b.1", 2, attempt=2)
    assert settled(pushed(), *first, second, hit=frozen) == (0, 1, 0)
    early = ran(7, 7.5, "b.1", 2, attempt=2)
    assert settled(pushed(), *first, early, hit=frozen) == (0, 1, 0)
    third = ran(9.5, 10.5, "c.1", 3, attempt=2)
    assert settled(pushed(), *first, second, third, hit=frozen) == (0, 2, 1)


def test_a_record_outlives_the_process_that_wrote_it(tmp_path: Path) -> None:
    code = """if True:
        import os, sys
        from pathlib import Path
        from chaos.ledger import Ledger

        ledger = Ledger(Path(sys.argv[1]), "a.1")
        with ledger.execution(7, 1):
            pass
        with ledger.execution(8, 2):
            if child := os.fork():
                os.waitpid(child, 0)
            else:
                ledger.write("start", 9, 1)
            os.kill(os.getpid(), 9)
    """
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    found = ledger.read(tmp_path)
    assert [(each.event, each.job, each.attempt) for each in found] == [
        ("start", 7, 1), ("done", 7, 1), ("start", 8, 2), ("start", 9, 1),
    ]  # fmt: skip
    assert len({each.pid for each in found}) == 2


def test_a_traceback_is_complained_of_by_its_last_error(tmp_path: Path) -> None:
    trace = "Traceback (most recent call last):\n  File ...\n    call()\n"
    log = f"""[12:00: ERROR] failed
{trace}IndexError: no

During handling of the above exception, another exception occurred:

{trace}OSError: refused
[12:01: ERROR] failed
{trace}OSError: refused
[12:02: INFO] over
"""
    (tmp_path / "a.1.log").write_text(log)
    assert logs.complaints(tmp_path) == ["traceback in a.1.log, 2 x: failed: OSError: refused"]
    assert not account.Account(0, faults.Faults([]), complaints=["that"]).clean


@pytest.fixture
def program() -> None:
    """A server program is needed."""
    if binary() is None:
        pytest.skip("no Valkey or Redis server")


@pytest.fixture
def chaos(program: None, tmp_path: Path) -> Iterator[Any]:
    """Run the harness; what it started ends with it."""
    processes = []

    def run(*options: str) -> tuple[int, dict[str, Any]]:
        file = tmp_path / "numbers.json"
        process = subprocess.Popen(
            [sys.executable, "-m", "chaos", *options, "--json", str(file)],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        processes.append(process)
        output, _ = process.communicate()
        print(output)
        numbers = json.loads(file.read_text())
        names = ("jobs", "faults", "lost", "duplicates", "unexplained")
        last = " ".join(f"{name}={numbers[name]}" for name in names)
        assert output.splitlines()[-1] == f"chaos: {last}"
        return process.returncode, numbers

    yield run
    for process in processes:
        process.terminate()
        process.wait()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("contestant", ["unsafe", pytest.param("celery", marks=pytest.mark.slow)])
def test_it_finds_what_a_kill_during_a_fetch_loses(chaos: Any, contestant: str) -> None:
    code, numbers = chaos(
        "--contestant", contestant, "--jobs=30", "--faults=1", "--kinds=fetch-kill"
    )
    assert numbers["lost"] > 0
    assert code == 1


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("contestant", "kinds"), [("flaskiq", 9), ("prefork", 6)])
def test_a_fault_of_each_kind_loses_nothing(chaos: Any, contestant: str, kinds: int) -> None:
    code, numbers = chaos("--contestant", contestant, "--jobs=300", f"--faults={kinds}")
    assert (numbers["faults"], numbers["lost"], numbers["unexplained"]) == (kinds, 0, 0)
    assert numbers["poisoned"] == 1
    assert code == 0
