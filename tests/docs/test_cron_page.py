"""docs/cron.md shows what its commands print, instant by instant."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from page import scripts
from processes import Project

PAGE = (Path(__file__).parents[2] / "docs/cron.md").read_text()
APP = re.search(r"```python\n# app.py\n(.*?)```", PAGE, re.DOTALL)
SESSIONS = re.findall(r"^\$ (flaskiq .*)\n((?:(?!\$|```).*\n)+)", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("command", "printed"), SESSIONS)
def test_a_command_prints_what_the_page_says(project: Project, command: str, printed: str) -> None:
    assert APP is not None
    project.write("app.py", APP[1])
    program = Path(sys.executable).parent / "flaskiq"
    done = subprocess.run(
        [program, *shlex.split(command)[1:]],
        cwd=project.folder,
        env=project.environ(CELERY_BROKER_URL="redis://127.0.0.1:1/0"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == printed


def test_there_are_commands_for_both_changes_of_a_year() -> None:
    days = ("2026-03-29", "2026-10-25")
    assert [day in printed for day, (_, printed) in zip(days, SESSIONS, strict=True)] == [True] * 2


def test_the_python_of_the_page_runs(project: Project) -> None:
    """The entries of the second block are in the schedule of the app of the first."""
    entries = scripts("cron.md")
    assert len(entries) == 1
    app = "from flask import Flask; from flaskiq import Flaskiq; app = Flask(__name__)"
    shown = "print(sorted(Flaskiq(app).celery.conf.beat_schedule))"
    done = project.python(f"{app}\n{entries[0].code}\n{shown}")
    assert done == "['ping', 'vacuum']"
