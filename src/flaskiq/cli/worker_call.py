"""WorkerCall: a call of a Worker as it is typed: its name and its arguments in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from flaskiq.errors import did_you_mean

if TYPE_CHECKING:
    from flaskiq.current import State
    from flaskiq.registry import WorkerRegistry
    from flaskiq.worker import Worker


class JsonOf(click.ParamType):  # type: ignore[type-arg] # generic in newer stubs only
    """JSON of one kind: ``list`` or ``dict``."""

    name = "json"

    def __init__(self, kind: type, example: str) -> None:
        self._kind = kind
        self._example = example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the JSON."""
        if isinstance(value, self._kind):
            return value
        try:
            found = json.loads(value)
        except ValueError as error:
            self.fail(f"{value!r} is no JSON ({error}); write {self._example}.", param, ctx)
        if not isinstance(found, self._kind):
            self.fail(f"{value!r} must be like {self._example}.", param, ctx)
        return found


ARGS = JsonOf(list, """'[1, "two"]'""")
KWARGS = JsonOf(dict, """'{"name": "Ada"}'""")


def worker_named(registry: WorkerRegistry, state: State, name: str) -> type[Worker]:
    """Return the Worker of a name, or of the last part of its name.

    Raises:
        click.UsageError: there is none, or there are several.
    """
    workers: Mapping[str, type[Worker]] = registry.workers
    if name in workers:
        return workers[name]
    found = [each for each in workers if each.endswith(f".{name}")]
    if len(found) == 1:
        return workers[found[0]]
    if found:
        raise click.UsageError(f"{name!r} may be {' or '.join(found)}; give the whole name.")
    if name in state.celery.tasks:
        raise click.UsageError(
            f"{name!r} is a plain task, not a Worker: celery -A {state.app.import_name} call {name}"
        )
    short = [each.rpartition(".")[2] for each in workers]
    hint = did_you_mean(name, [*workers, *short]) or f"; there are {', '.join(workers) or 'none'}."
    raise click.UsageError(f"There is no Worker {name!r}{hint}")
