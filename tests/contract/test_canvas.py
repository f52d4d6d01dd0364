"""Signatures in all their combinations."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from celery import chain, chord, group
from celery.canvas import StampingVisitor
from contract_node import Node, Records
from waiting import until


def test_chains(contract: ModuleType, node: Node) -> None:
    add = contract.tasks.add
    assert chain(add.s(1, 2), add.s(10), add.s(100)).delay().get(timeout=20) == 113
    assert (add.s(1, 2) | contract.workers.Add.s(10)).delay().get(timeout=20)[0] == 13
    result = chain(add.s(1, 2), add.s(10)).delay()
    assert (result.get(timeout=20), result.parent.get(timeout=20)) == (13, 3)


def test_an_immutable_signature_takes_nothing_over(contract: ModuleType, node: Node) -> None:
    add = contract.tasks.add
    assert chain(add.s(1, 2), add.si(10, 20)).delay().get(timeout=20) == 30


def test_a_chain_ends_with_its_first_failure(
    contract: ModuleType, node: Node, records: Records
) -> None:
    result = chain(contract.tasks.fail.si("no luck"), contract.tasks.ran.s()).delay()
    with pytest.raises(LookupError, match="no luck"):
        result.get(timeout=20)
    assert result.parent.state == "FAILURE"
    assert records.signals(result.id) == []


def test_groups(contract: ModuleType, node: Node) -> None:
    add = contract.tasks.add
    result = group(add.s(n, n) for n in range(10)).delay()
    assert result.get(timeout=20) == list(range(0, 20, 2))
    assert result.completed_count() == 10
    fanned = chain(add.s(1, 1), group(add.s(1), add.s(2))).delay()
    assert fanned.get(timeout=20) == [3, 4]


def test_chords(contract: ModuleType, node: Node) -> None:
    add, total = contract.tasks.add, contract.tasks.total
    assert chord([add.s(n, n) for n in range(10)], total.s()).delay().get(timeout=20) == 90
    steps = chain(group(add.s(1, 1), add.s(2, 2)), total.s(), add.s(1))
    assert steps.delay().get(timeout=20) == 7


def test_a_chord_of_chains(contract: ModuleType, node: Node) -> None:
    add, total = contract.tasks.add, contract.tasks.total
    parts = [chain(add.s(n, 1), add.s(10)) for n in range(3)]
    assert chord(parts, total.s()).delay().get(timeout=20) == 36


def test_a_nested_chord(contract: ModuleType, node: Node) -> None:
    add, total = contract.tasks.add, contract.tasks.total
    inner = chord([add.s(1, 1), add.s(2, 2)], total.s())
    assert chord([inner, add.s(10, 10)], total.s()).delay().get(timeout=20) == 26
    body = chord([add.s(1, 1), add.s(2, 2)], chain(total.s(), group(add.s(1), add.s(2))))
    assert body.delay().get(timeout=20) == [7, 8]


def test_a_chord_fails_with_its_part(contract: ModuleType, node: Node, records: Records) -> None:
    body = contract.tasks.total.s()
    body.link_error(contract.tasks.errback.s())
    result = chord([contract.tasks.add.s(1, 1), contract.tasks.fail.s("no luck")], body).delay()
    with pytest.raises(Exception, match="no luck"):
        result.get(timeout=20)
    until(lambda: result.state == "FAILURE", "the body has failed")
    assert records.signals(result.id) == []
    until(lambda: records.notes(result.id), "its errback was called")


def test_map_starmap_and_chunks(contract: ModuleType, node: Node) -> None:
    add, double = contract.tasks.add, contract.tasks.double
    assert double.map([1, 2, 3]).delay().get(timeout=20) == [2, 4, 6]
    assert add.starmap([(1, 2), (3, 4)]).delay().get(timeout=20) == [3, 7]
    chunks = add.chunks([(n, n) for n in range(5)], 2).group()
    assert chunks.delay().get(timeout=20) == [[0, 2], [4, 6], [8]]


def test_links(contract: ModuleType, node: Node, records: Records) -> None:
    tasks = contract.tasks
    result = tasks.add.apply_async((1, 2), link=tasks.add.s(10))
    assert result.get(timeout=20) == 3
    job_id = result.id
    noted = tasks.add.apply_async((1, 2), link=[tasks.note_for.s(job_id), tasks.double.s()])
    until(lambda: records.notes(job_id) == [[3, noted.id]], "the link ran as a child")
    (child,) = result.children
    assert child.get(timeout=20) == 13
    assert noted.get(timeout=20) == 3
    assert sorted(each.get(timeout=20) or 0 for each in noted.children[0]) == [0, 6]


def test_errbacks_of_both_signatures(contract: ModuleType, node: Node, records: Records) -> None:
    tasks = contract.tasks
    errbacks = [tasks.errback_by_id.s(), tasks.errback.s()]
    result = tasks.fail.apply_async(("no luck",), link_error=errbacks, link=tasks.ran.s())
    with pytest.raises(LookupError):
        result.get(timeout=20)
    expected = [["by id"], ["by request", "LookupError", "no luck", True]]
    until(lambda: sorted(records.notes(result.id)) == expected, "both were called")
    assert not result.children


class Orders(StampingVisitor):  # type: ignore[misc] # it has no types
    """Stamps everything with an order."""

    def __init__(self, order: str) -> None:
        self.order = order

    def on_signature(self, sig: Any, **headers: Any) -> dict[str, Any]:
        return {"order": self.order, "note": "not a stamp", "stamped_headers": ["order"]}


def test_stamps_of_a_visitor(contract: ModuleType, node: Node) -> None:
    stamps = contract.tasks.stamps
    for index, steps in enumerate(
        (
            stamps.s(),
            chain(contract.tasks.add.s(1, 1), stamps.s()),
            chord([contract.tasks.add.s(1, 1), contract.tasks.add.s(2, 2)], stamps.s()),
        )
    ):
        steps.stamp(visitor=Orders(f"order {index}"))
        found = steps.delay().get(timeout=20)
        assert "order" in found["headers"]
        assert "note" not in found["headers"]
        # In a chain each step also carries what the step before it was stamped with.
        assert found["stamps"]["order"] in (f"order {index}", [f"order {index}"])
    assert stamps.delay().get(timeout=20) == {"headers": [], "stamps": {}}


def test_replace(contract: ModuleType, node: Node) -> None:
    tasks = contract.tasks
    assert tasks.replaced.delay(1, 2).get(timeout=20) == 3
    assert chain(tasks.replaced.s(1, 2), tasks.double.s()).delay().get(timeout=20) == 6
    assert tasks.replaced_by_group.delay([1, 2, 3]).get(timeout=20) == 12
    parts = [tasks.replaced.s(1, 2), tasks.add.s(1, 1)]
    assert chord(parts, tasks.total.s()).delay().get(timeout=20) == 5
