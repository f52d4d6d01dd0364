"""docs/index.md: every page is in it, and its quick starts run as they stand there."""

from __future__ import annotations

import re

import pytest
from page import PAGES, Terminal, blocks
from processes import Project
from servers import free_port

STARTS = re.findall(r"^### (.*)$", PAGES["index.md"], re.MULTILINE)


def test_every_page_is_in_it() -> None:
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", PAGES["index.md"]))
    assert linked == {*PAGES} - {"README.md", "index.md", "screenshots.md"}


def test_there_are_three_of_ten_lines_at_most() -> None:
    assert len(STARTS) == 3
    for block in blocks("index.md"):
        assert len(block.code.splitlines()) <= 10, str(block)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_quick_starts_run(project: Project) -> None:
    """One after the other; the worker of the first is there in the second."""
    terminal = Terminal(project, {"8080": str(free_port())})
    try:
        for start in STARTS:
            terminal.read("index.md", start)
    finally:
        terminal.end()
