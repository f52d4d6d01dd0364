"""``python -m flaskiq.chords ...`` is ``flaskiq chords ...``."""

from __future__ import annotations

import sys

from flaskiq.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["chords"]
    main()
