"""The modes that keep one contract."""

from __future__ import annotations

from flaskiq.testing import Mode, fake, inline, real

MODES: dict[str, type[Mode]] = {"real": real, "fake": fake, "inline": inline}
