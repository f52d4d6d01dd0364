"""docs/settings.md says what the table of settings says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from flaskiq.settings import TABLE, Derived, Setting
from flaskiq.settings.celery_config import DEFAULTS
from flaskiq.settings.table import NAMES
from flaskiq.settings.unread import options_of_celery

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/settings.md").read_text()


def rows(section: str) -> list[str]:
    """Return the rows of the table in a section, without its head."""
    body = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [line for line in body.splitlines() if line.startswith("| `")]


def shown(default: Any) -> str:
    if default is None:
        return "not set"
    if isinstance(default, Derived):
        return str(default)
    if isinstance(default, tuple):
        return f"`{','.join(default)}`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def row_of(setting: Setting) -> str:
    names = f"`{setting.name}`" + (f", also `{setting.alias}`" if setting.alias else "")
    return f"| {names} | {shown(setting.default)} | {setting.kind.expects} | {setting.why} |"


@pytest.mark.parametrize("setting", TABLE, ids=lambda setting: setting.name)
def test_each_setting_is_on_the_page(setting: Setting) -> None:
    assert row_of(setting) in rows("All settings")


def test_the_page_has_no_other_settings() -> None:
    expected = "\n".join(map(row_of, TABLE))
    assert "\n".join(rows("All settings")) == expected, f"the table should be\n{expected}"


def test_what_flaskiq_sets_besides_is_on_the_page() -> None:
    given = {row.split("`")[1]: row.split("`")[3] for row in rows("What Flaskiq sets besides")}
    expected = {name: repr(value) for name, value in DEFAULTS.items()}
    assert {name: given.get(name) for name in expected} == expected


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))])
def test_every_setting_that_a_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text()
    # docs/configuration.md tells of names that are read by nobody, or by others.
    text = re.sub(r"\n## Warned of\n.*?\n## ", "", text, flags=re.DOTALL)
    named = set(re.findall(r"\b(?:FLASKIQ|CELERY)_[A-Z][A-Z_]+\b", text))
    celery_itself = {"CELERY_CUSTOM_WORKER_POOL"}  # celery/concurrency/__init__.py
    assert named <= NAMES | options_of_celery() | celery_itself
