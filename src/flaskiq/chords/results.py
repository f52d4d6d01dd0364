"""Results: what the body of a chord is given, whichever way its parts told of a failure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

FAILED = "failed"


class ChordResults(list[Any]):
    """The results of the parts, in their order; None for a part that has none.

    ::

        def perform(self, results):
            found = chord_results(results)
            return found.summary          # {"total": 3, "succeeded": 2, "failed": 1}
    """

    @property
    def failed(self) -> list[Any]:
        """Those that are None, or a dict with the status ``failed``."""
        return [each for each in self if _is_failed(each)]

    @property
    def succeeded(self) -> list[Any]:
        """All others."""
        return [each for each in self if not _is_failed(each)]

    @property
    def summary(self) -> dict[str, int]:
        """How many there are: ``total``, ``succeeded``, ``failed``."""
        failed = len(self.failed)
        return {"total": len(self), "succeeded": len(self) - failed, "failed": failed}


def chord_results(results: Iterable[Any] | None) -> ChordResults:
    """Return results in one form.

    A part may stand there as its value, as None, as a dict with ``status: failed``, or as
    ``[[task_id, value], error]``: that becomes its value if there is no error, else the error, in
    a dict with ``status: failed`` if it is none.
    """
    return ChordResults(_value(each) for each in results or ())


def _value(result: Any) -> Any:
    if isinstance(result, (list, tuple)) and len(result) == 2:
        first, error = result
        if isinstance(first, (list, tuple)) and len(first) == 2 and isinstance(first[0], str):
            task_id, value = first
            if error is None or isinstance(error, dict):
                return value if error is None else error
            return {"status": FAILED, "task_id": task_id, "error": str(error)}
    return result


def _is_failed(result: Any) -> bool:
    return result is None or (isinstance(result, dict) and result.get("status") == FAILED)
