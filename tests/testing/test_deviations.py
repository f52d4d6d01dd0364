"""The contract sees it when a mode departs from it, one way at a time."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from modes import MODES
from servers import required

from flaskiq.testing import in_memory, inline, real
from flaskiq.testing.attempts import Attempts
from flaskiq.testing.in_memory import InMemory, Memory
from flaskiq.testing.memory.batches import MemoryBatches
from flaskiq.testing.memory.dead_set import MemoryDeadSet
from flaskiq.testing.memory.job_set import MemoryJobSet
from flaskiq.testing.real_app import RealApp


class Deviation(NamedTuple):
    """What a mode does otherwise, and the test of the contract that sees it."""

    mode: str
    what: str
    owner: Any
    name: str
    instead: Callable[..., Any]
    seen_by: str

    def __str__(self) -> str:
        return f"{self.mode}: {self.what}"


def _queues_as_they_come(memory: Memory) -> list[str]:
    return [queue for queue, jobs in memory.store.shelf.ready.items() if jobs]


DEVIATIONS = [
    Deviation(
        "fake", "a retry is lost", MemoryJobSet, "add_from_flight", lambda *_, **__: True,
        "test_a_job_is_retried_until_it_succeeds",
    ),
    Deviation(
        "fake", "the dead are not kept", MemoryDeadSet, "bury_from_flight", lambda *_, **__: True,
        "test_a_job_that_gives_up_is_dead_and_its_error_surfaces",
    ),
    Deviation(
        "fake", "errors are swallowed", in_memory, "_note", lambda *_: None,
        "test_a_job_that_gives_up_is_dead_and_its_error_surfaces",
    ),
    Deviation(
        "fake", "queues have no order", Memory, "queues", _queues_as_they_come,
        "test_what_a_job_enqueues_runs_after_it_in_the_order_of_queues",
    ),
    Deviation(
        "fake", "a batch calls nobody", MemoryBatches, "_fire", lambda *_: True,
        "test_a_batch_succeeds",
    ),
    Deviation(
        "inline", "retries are left", inline, "act",
        lambda mode: InMemory.drain(mode),
        "test_a_job_is_retried_until_it_succeeds",
    ),
    Deviation(
        "inline", "errors are swallowed", inline, "act",
        lambda mode: InMemory.drain(mode, scheduled=True, raises=False),
        "test_a_job_that_gives_up_is_dead_and_its_error_surfaces",
    ),
    Deviation(
        "inline", "jobs run within each other", inline, "act",
        lambda mode: InMemory.drain(mode, scheduled=True),
        "test_what_a_job_enqueues_runs_after_it_in_the_order_of_queues",
    ),
    Deviation(
        "real", "errors are swallowed", Attempts, "take", lambda _: (0, None),
        "test_a_job_that_gives_up_is_dead_and_its_error_surfaces",
    ),
    Deviation(
        "real", "nobody notes what is enqueued", RealApp, "note", lambda *_: None,
        "test_what_was_enqueued_can_be_asserted",
    ),
    Deviation(
        "real", "nothing comes nearer", real, "_shift", lambda *_: None,
        "test_the_clock_brings_nearer_what_waits",
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def contract() -> ModuleType:
    """The contract, whose tests are called here as functions."""
    spec = spec_from_file_location("contract", Path(__file__).with_name("test_contract.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=str)
def test_a_deviation_is_seen(
    deviation: Deviation, contract: ModuleType, kit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    if deviation.mode == "real":
        required()
    check = getattr(contract, deviation.seen_by)
    with MODES[deviation.mode]() as mode:
        check(mode, kit)
    kit.told.clear()
    monkeypatch.setattr(deviation.owner, deviation.name, deviation.instead)
    with MODES[deviation.mode]() as mode, pytest.raises((AssertionError, pytest.fail.Exception)):
        check(mode, kit)
