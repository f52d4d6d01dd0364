"""Tasks that are called where they run: each call has a request of its own."""

from __future__ import annotations

from types import ModuleType

from contract_node import Node


def test_a_task_calls_itself(contract: ModuleType, node: Node) -> None:
    result = contract.calls.nested.delay(2)
    assert result.get(timeout=20) == [[result.id, [depth], True] for depth in (0, 1, 2)]


def test_a_task_calls_another(contract: ModuleType, node: Node) -> None:
    outer, inner = (f"contract_app.calls.{name}" for name in ("outer", "inner"))
    assert contract.calls.outer.delay().get(timeout=20) == [outer, inner, outer]


def test_a_base_class_has_a_call_of_its_own(contract: ModuleType, node: Node) -> None:
    assert contract.calls.wrapped.delay(7).get(timeout=20) == ["before", [7, 1], "after"]
