"""A Dockerfile, read as far as tests need it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple


class Instruction(NamedTuple):
    """One instruction of the last stage, or of the one before."""

    stage: int
    name: str
    text: str

    @property
    def words(self) -> list[Any]:
        """The exec form; fails for the shell form, in which no signal arrives."""
        return list(json.loads(self.text))


def instructions(path: Path) -> list[Instruction]:
    """Return the instructions of a file, counted by stages from 0."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.MULTILINE).replace("\\\n", "")
    stage, found = -1, []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition(" ")
        stage += name == "FROM"
        found.append(Instruction(stage, name, " ".join(rest.split())))
    return found
