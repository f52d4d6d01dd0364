"""Workers of Flaskiq: ``def`` and ``async def``."""

from __future__ import annotations

from types import ModuleType

import pytest
from contract_node import Node
from waiting import until

from flaskiq.store.store import Store


@pytest.mark.parametrize("worker", ["Add", "AddAsync"])
def test_its_value_and_its_surroundings(contract: ModuleType, node: Node, worker: str) -> None:
    result = getattr(contract.workers, worker).perform_async(1, 2)
    assert result.get(timeout=20) == [3, "contract_app", 1]
    late = getattr(contract.workers, worker).perform_in(0.2, 3, 4)
    assert late.get(timeout=20) == [7, "contract_app", 1]


@pytest.mark.parametrize("worker", ["Fails", "FailsAsync"])
def test_it_is_retried_until_it_succeeds_or_gives_up(
    contract: ModuleType, node: Node, jobs: Store, worker: str
) -> None:
    fails = getattr(contract.workers, worker)
    lucky, unlucky = fails.perform_async(3), fails.perform_async(9)
    assert lucky.get(timeout=20) == 3
    with pytest.raises(LookupError, match="attempt 3"):
        unlucky.get(timeout=20)
    until(lambda: jobs.dead.find(unlucky.id), "it is dead")
    assert jobs.dead.find(lucky.id) is None
