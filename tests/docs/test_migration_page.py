"""docs/migration.md: the way from stock Celery and back, step by step."""

from __future__ import annotations

import importlib
import re

import pytest
from page import PAGES, ROOT, Terminal
from processes import Project

import flaskiq

PAGE = PAGES["migration.md"]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_way_there_and_back(project: Project) -> None:
    terminal = Terminal(project)
    try:
        terminal.read("migration.md")
    finally:
        terminal.end()


def test_what_is_imported_in_its_tables_is_there() -> None:
    imported = re.findall(r"from (flaskiq[.\w]*) import (\w+)", PAGE)
    assert len(imported) >= 4
    for module, name in imported:
        assert hasattr(importlib.import_module(module), name), name


def test_the_options_that_it_names_are_there() -> None:
    named = {"queue", "max_retries", "dead", "retry_in", "retries_exhausted", "retry_on", "expires"}
    for name in named:
        assert f"`{name}`" in PAGE
        assert hasattr(flaskiq.Worker, name), name


def test_the_guide_that_it_names_is_run() -> None:
    (named,) = set(re.findall(r"`(test_\w+\.py)`", PAGE))
    assert (ROOT / "tests/guides" / named).exists()
