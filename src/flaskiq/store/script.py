"""Loads the Lua scripts: one atomic move per file, with a header of its KEYS and ARGV."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

from redis import Redis
from redis.commands.core import Script

_FOLDER = files(__package__) / "scripts"


def preload() -> None:
    """Read all of them now; a process that is forked finds them in its memory."""
    for name in names():
        sha(name)


def names() -> list[str]:
    """The names of the scripts."""
    return sorted(file.name.removesuffix(".lua") for file in _FOLDER.iterdir())


@cache
def source(name: str) -> str:
    """Return the text of ``scripts/<name>.lua``."""
    return (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")


@cache
def sha(name: str) -> str:
    """Return the name under which a server knows the script."""
    return hashlib.sha1(source(name).encode(), usedforsecurity=False).hexdigest()


def load(client: Redis, name: str) -> Script:
    """Return a callable that runs the script; a server that lost it is given it again."""
    return _Known(client, name)


class _Known(Script):
    """A script whose name need not be computed once more for each client."""

    def __init__(self, client: Redis, name: str) -> None:
        self.registered_client, self.script, self.sha = client, source(name), sha(name)
