"""Profiles an uploaded CSV file, chunk by chunk, while a person watches."""

from __future__ import annotations

import time
from typing import Any

from flaskiq import Worker, current_job
from workers.csv_profile import Profile, chunks, take_survey

PAUSES = 30  # seconds at most, all pauses of one job together


class DataProcessingWorker(Worker):
    """Finds types, statistics and bad rows of a CSV file; see ``workers/csv_profile.py``."""

    queue = "default"
    max_retries = 1  # the disk may have a bad moment; a broken file stays broken

    @classmethod
    def perform(cls, path: str, chunk_rows: int = 250, pause: float = 0.1) -> dict[str, Any]:
        """Return the profile of the file, in the shape of :meth:`Profile.result`.

        Args:
            path: of the file, on a disk that web and worker share.
            chunk_rows: rows in memory at a time; progress is reported after each chunk.
            pause: seconds to yield after each chunk; less if the file has very many.

        Raises:
            ValueError: the file is empty, has no rows or is not CSV.
        """
        survey = take_survey(path)
        profile = Profile(survey)
        pause = min(pause, PAUSES * chunk_rows / survey.rows)
        for rows in chunks(path, chunk_rows):
            profile.add(rows)
            if current_job:
                current_job.progress(profile.seen, survey.rows, f"line {rows[-1].line}")
            time.sleep(pause)
        return profile.result()
