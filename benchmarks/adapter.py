"""Flaskiq for a harness that loads contestants from files (``BENCH_ADAPTERS=.../adapter.py``).

The harness imports this module, and then runs it as the client. ``FLASKIQ_BIN`` is the folder of
the programs ``python`` and ``flaskiq``; ``.venv/bin`` of this repository by default.
"""

# mypy: disable-error-code="import-not-found"
# `adapters` and `benchlib` are the harness's own.

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))

from adapters import HARNESS, Contestant  # noqa: E402

from benchmarks import contestant as ours  # noqa: E402
from benchmarks.contestants import flaskiq  # noqa: E402

BIN = Path(os.environ.get("FLASKIQ_BIN", ROOT / ".venv" / "bin"))
PORT = os.environ.get("BENCH_REDIS_PORT", "7301")

ENV = {
    "BENCH_REDIS_URL": f"redis://127.0.0.1:{PORT}/0",
    "PYTHONPATH": os.pathsep.join([str(ROOT), str(HARNESS)]),
}

WORKLOADS = {"W3": ours.DRAIN, "W4": ours.DRAIN_IO, "W5": ours.LATENCY}
W4_SLOTS = 20


def _adapt(contestant: ours.Contestant) -> Contestant:
    return Contestant(
        contestant.name,
        [str(BIN / "python"), __file__],
        {"W3": [[str(BIN / argv[0]), *argv[1:]] for argv in contestant.workers]},
        {**ENV, **contestant.env, **contestant.worker_env},
        n={"W3": contestant.counts.get(ours.DRAIN, 4000)},
        skip={name for name in WORKLOADS if not _takes_part(contestant, name)},
        produces=contestant.name == "flaskiq/default",
        latency=True,
        note=contestant.note,
    )


def _takes_part(contestant: ours.Contestant, name: str) -> bool:
    fits = name != "W4" or contestant.slots == W4_SLOTS
    return fits and WORKLOADS[name] in contestant.workloads


CONTESTANTS = [
    _adapt(each) for each in flaskiq.CONTESTANTS if each.jobs == flaskiq.JOBS and not each.variant
]


if __name__ == "__main__":
    import benchlib

    from benchmarks.apps import flaskiq_jobs as jobs

    benchlib.produce(jobs.enqueue, jobs.bulk, jobs.enqueue_io, jobs.enqueue_timed)
