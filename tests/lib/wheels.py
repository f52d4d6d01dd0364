"""The wheel as it is shipped: built from this checkout without a network, and installed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def build(folder: Path) -> Path:
    """Build the wheel into an empty folder and return it."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> None:
    """Install the wheel into a folder, without what it depends on."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, "--target", folder, wheel], check=True, capture_output=True)


def environment(folder: Path, wheel: Path, *wanted: str) -> Path:
    """Make a virtual environment with the wheel in it, and return its Python.

    It has those packages of the test's Python that the requirements ``wanted`` lead to, and no
    other: what the wheel does not ask for cannot be imported.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    install(wheel, site)
    (metadata,) = site.glob("flaskiq-*.dist-info")
    for each in _closure(wanted, Distribution.at(metadata)):
        for name in {file.parts[0] for file in each.files or ()} - {"..", "__pycache__"}:
            link = site / name
            if not link.exists():
                link.symlink_to(each.locate_file(name))
    return folder / "bin" / "python"


def _closure(wanted: tuple[str, ...], own: Distribution) -> Iterator[Distribution]:
    """What the requirements lead to, but for the wheel itself."""
    waiting, seen = list(map(Requirement, wanted)), set()
    while waiting:
        each = waiting.pop()
        if str(each) in seen:
            continue
        seen.add(str(each))
        is_own = each.name == own.metadata["Name"]
        found = own if is_own else distribution(each.name)
        if not is_own:
            yield found
        for text in found.requires or ():
            further = Requirement(text)
            marker = further.marker
            if marker is None or any(marker.evaluate({"extra": e}) for e in ("", *each.extras)):
                waiting.append(further)
