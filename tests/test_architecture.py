"""The arrows between the parts go one way, and the front door is what it says."""

from __future__ import annotations

import ast
import graphlib
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import flaskiq

PACKAGE = Path(flaskiq.__file__).parent

STAGES = {
    "words": (
        "errors", "moments", "arguments", "attempt", "backoff", "job", "message", "endings",
        "failure", "handlers", "histogram", "number", "tally",
        "cron.expression", "cron.policy", "logs.outcome", "logs.telling", "options", "settings",
        "tenant", "current",
    ),
    "store": ("store",),
    "define": ("setter", "verbs", "worker", "registry"),
    "enqueue": ("client", "direct", "results", "batch"),
    "broker": ("broker",),
    "runtime": ("runtime",),
    "cron": ("cron",),
    "tenancy": ("tenancy",),
    "read": ("api", "doctor"),
    "chords": ("chords", "chord_watch"),
    "ops": ("health", "logs", "metrics"),
    "surfaces": (
        "", "extension", "dev", "web", "cli", "chords.__main__", "testing", "pytest_plugin",
    ),
}  # fmt: skip
"""From top to bottom; a stage imports only from itself and from stages above it."""

ORDER = list(STAGES)


def modules() -> dict[str, Path]:
    """Every module below the package: dotted name without ``flaskiq.`` -> file."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = file
    return found


MODULES = modules()


def stage_of(module: str) -> str:
    """The stage with the longest matching name."""
    matches = [
        (len(name), stage)
        for stage, names in STAGES.items()
        for name in names
        if module == name or (name and module.startswith(f"{name}."))
    ]
    assert matches, f"flaskiq.{module} is in no stage"
    return max(matches)[1]


def imports(file: Path) -> Iterator[str]:
    """The modules of this package that a file imports when it runs."""
    for node in _running(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name[8:] for alias in node.names if _is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            if _is_ours(node.module or ""):
                base = (node.module or "").partition("flaskiq")[2].lstrip(".")
                for alias in node.names:
                    submodule = f"{base}.{alias.name}".lstrip(".")
                    yield submodule if submodule in MODULES else base


def _is_ours(name: str) -> bool:
    return name == "flaskiq" or name.startswith("flaskiq.")


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Walk without the blocks that only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for other in child.orelse:
                yield from _running(other)
            continue
        yield child
        yield from _running(child)


@pytest.mark.parametrize("module", MODULES)
def test_a_stage_imports_only_stages_above_it(module: str) -> None:
    stage = ORDER.index(stage_of(module))
    below = [name for name in imports(MODULES[module]) if ORDER.index(stage_of(name)) > stage]
    assert below == []


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_nobody_inside_uses_the_front_door(module: str) -> None:
    assert "" not in imports(MODULES[module])


def test_there_is_no_import_cycle() -> None:
    graph = {
        name: {each for each in imports(file) if each != name} for name, file in MODULES.items()
    }
    list(graphlib.TopologicalSorter(graph).static_order())


def test_every_module_can_be_imported() -> None:
    """But those of the demo: its Workers would be those of every app in this process."""
    for found in pkgutil.walk_packages([str(PACKAGE)], "flaskiq."):
        if not found.name.endswith("__main__") and not found.name.startswith("flaskiq.dev.demo."):
            importlib.import_module(found.name)


def test_the_public_names() -> None:
    assert sorted(flaskiq.__all__) == [
        "ArgumentError",
        "BaseTask",
        "Batch",
        "BatchError",
        "ContextError",
        "DefinitionError",
        "Discard",
        "Flaskiq",
        "FlaskiqError",
        "Kill",
        "Logger",
        "RegistrationError",
        "ResultsDisabledError",
        "ServerError",
        "SettingError",
        "Snooze",
        "Tenant",
        "TenantError",
        "Worker",
        "WorkerRegistry",
        "current_batch",
        "current_job",
        "current_tenant",
        "get_db_session",
        "task_launcher",
        "with_tenant_context",
    ]
    assert all(hasattr(flaskiq, name) for name in flaskiq.__all__)
    public = {name for name in vars(flaskiq) if not name.startswith(("_", "@"))}  # of pytest
    submodules = {name.partition(".")[0] for name in MODULES}
    assert public - submodules == set(flaskiq.__all__)


def test_the_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()
