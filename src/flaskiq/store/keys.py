"""The name of every key in Redis."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Keys:
    """Key names below a ``global_keyprefix``, which is kombu's: empty unless configured.

    ``separator`` and ``priorities`` are kombu's too (``sep`` and ``priority_steps``).
    """

    prefix: str = ""
    separator: str = "\x06\x16"
    priorities: tuple[int, ...] = (0, 3, 6, 9)

    def __getitem__(self, name: str) -> str:
        return f"{self.prefix}flaskiq:{name}"

    def ready(self, name: str) -> str:
        """A list of ready jobs: kombu's name of a queue or of one of its priority sub-lists."""
        return f"{self.prefix}{name}"

    def lists(self, queue: str) -> list[str]:
        """The lists of a queue's ready jobs, one for each message priority, the first first."""
        names = (f"{queue}{self.separator}{step}" if step else queue for step in self.priorities)
        return [self.ready(name) for name in names]

    @property
    def wake(self) -> str:
        """What comes before a queue's name in the list of its wake token."""
        return self["wake:"]

    @property
    def promoter(self) -> str:
        """List of the token that tells promoters of a job which is due before all others."""
        return self["wake:promoter"]

    def jobs(self, name: str) -> str:
        """Hash of a sorted set of jobs: job id -> queue, list and message."""
        return self[f"{name}:jobs"]

    def failures(self, name: str) -> str:
        """Hash of a sorted set of jobs that failed: job id -> the last failure."""
        return self[f"{name}:failures"]

    def inflight(self, process: str) -> str:
        """Hash of what a process has fetched: seq -> queue, list and message."""
        return self[f"inflight:{process}"]

    def heartbeat(self, process: str) -> str:
        """String that exists while a process lives."""
        return self[f"heartbeat:{process}"]

    def facts(self, process: str) -> str:
        """Hash of what a process tells of itself: host, queues, memory and so on."""
        return self[f"process:{process}"]

    def running(self, process: str) -> str:
        """Hash of the jobs that run in a process: job id -> worker, queue, attempt, since, seq."""
        return self[f"running:{process}"]

    @property
    def processes(self) -> str:
        """Set of the processes that may fetch."""
        return self["processes"]

    @property
    def lost_processes(self) -> str:
        """Sorted set of the processes that have ended or were declared dead, by when."""
        return self["processes:lost"]

    @property
    def paused(self) -> str:
        """Set of the queues that nobody fetches from."""
        return self["paused"]

    @property
    def cancelled(self) -> str:
        """Sorted set of the ids that must not run, by the time at which they are forgotten."""
        return self["cancelled"]

    @property
    def counters(self) -> str:
        """Hash of counts since the beginning."""
        return self["counters"]

    @property
    def metrics(self) -> str:
        """Hash of what metrics are made of, since the beginning (:func:`flaskiq.tally.series`)."""
        return self["metrics"]

    def day(self, day: str) -> str:
        """Hash of the counts of a day (UTC), such as ``2026-11-25``."""
        return self[f"day:{day}"]

    def minute(self, minute: str) -> str:
        """Hash of the counts and run times of a minute (UTC), such as ``2026-11-25T18:30``."""
        return self[f"minute:{minute}"]

    @property
    def cron_leader(self) -> str:
        """String that names the scheduler which leads, by its token; it expires."""
        return self["cron:leader"]

    @property
    def cron_fence(self) -> str:
        """Counter of leaderships; the tokens begin with it."""
        return self["cron:fence"]

    @property
    def cron_tick(self) -> str:
        """Hash of what the leader tells of itself: when it last looked, and how late it was."""
        return self["cron:tick"]

    @property
    def cron_entries(self) -> str:
        """Sorted set of the names of cron entries, by when a scheduler last had them."""
        return self["cron:entries"]

    def cron_entry(self, name: str) -> str:
        """Hash of a cron entry: its last slot, what it says, whether it is paused."""
        return self[f"cron:entry:{name}"]

    def cron_runs(self, name: str) -> str:
        """List of the last runs of a cron entry, the newest first."""
        return self[f"cron:runs:{name}"]

    def cron_ends(self, name: str) -> str:
        """Hash of how its runs ended: job id -> ending."""
        return self[f"cron:ends:{name}"]

    @property
    def batches(self) -> str:
        """Sorted set of the ids of batches, by when they were begun."""
        return self["batches"]

    def batch(self, batch_id: str) -> str:
        """Hash of a batch; what is behind it names the rest (``scripts/batch.lua``)."""
        return self[f"batch:{batch_id}"]

    def batch_jobs(self, batch_id: str) -> str:
        """Hash of the jobs of a batch that are not over: job id -> fresh, failed or dead."""
        return f"{self.batch(batch_id)}:jobs"

    def batch_children(self, batch_id: str) -> str:
        """Set of the batches within a batch that have not succeeded."""
        return f"{self.batch(batch_id)}:children"

    def batch_incomplete(self, batch_id: str) -> str:
        """Set of the batches within a batch that are not complete."""
        return f"{self.batch(batch_id)}:incomplete"

    @property
    def chords(self) -> str:
        """Sorted set of the ids of chords that are not over, by when they were published."""
        return self["chords"]

    def chord(self, chord_id: str) -> str:
        """Hash of a chord: its body, how many parts may be out at once, and so on."""
        return self[f"chord:{chord_id}"]

    def chord_parts(self, chord_id: str) -> str:
        """Hash of the parts of a chord: part id -> its job (``scripts/chord_put.lua``)."""
        return f"{self.chord(chord_id)}:parts"

    def chord_held(self, chord_id: str) -> str:
        """List of the parts that wait until another one has ended."""
        return f"{self.chord(chord_id)}:held"

    def chord_called(self, chord_id: str) -> str:
        """Set of the ids of what was enqueued when all parts had ended."""
        return f"{self.chord(chord_id)}:called"

    def chord_of(self, body_id: str) -> str:
        """String: the chord that a body belongs to."""
        return self[f"chord-of:{body_id}"]

    def chord_repair(self, chord_id: str) -> str:
        """String that exists while somebody repairs a chord."""
        return f"{self.chord(chord_id)}:repair"

    @property
    def chord_acts(self) -> str:
        """List of what was done to repair chords, the last act first."""
        return self["chords:acts"]

    @property
    def chord_watch(self) -> str:
        """Hash of what the watcher of the chords has found."""
        return self["chords:watch"]

    @property
    def chord_watcher(self) -> str:
        """String that exists while a watcher has had its turn; it expires."""
        return self["chords:watcher"]

    def wanted(self, group: str) -> str:
        """String: the most workers that were needed lately; it expires."""
        return self[f"autoscale:{group}"]

    def nodes(self, namespace: str) -> str:
        """Set of the mailboxes of all workers that listen to remote control, which is kombu's."""
        return self.ready(f"_kombu.binding.{namespace}.pidbox")

    @property
    def finished(self) -> str:
        """Sorted set of the ids of jobs that finished last, by when."""
        return self["finished"]
