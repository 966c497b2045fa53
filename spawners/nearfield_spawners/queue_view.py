"""Where a waiting job stands among the others of its partition."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from nearfield.scheduler import QueuedJob


class QueueView:
    """One listing of all waiting jobs, in the order that the scheduler means to start them."""

    def __init__(self, jobs: Iterable[QueuedJob] = ()) -> None:
        self._jobs = {job.number: job for job in jobs}
        order = sorted(self._jobs.values(), key=lambda job: (-job.priority, int(job.number)))
        self._places: dict[tuple[str, str], int] = {}
        self._lengths: dict[str, int] = {}
        for job in order:
            for partition in job.partitions:
                place = self._lengths[partition] = self._lengths.get(partition, 0) + 1
                self._places[partition, job.number] = place

    def place(self, number: str) -> tuple[int, int, str] | None:
        """Position, how many wait, and the partition: the best one, where a job asked for several.

        None if the job is not listed, as where a site hides the jobs of others.
        """
        job = self._jobs.get(number)
        if job is None or not job.partitions:
            return None
        partition = min(job.partitions, key=lambda name: self._places[name, number])
        return self._places[partition, number], self._lengths[partition], partition

    def start(self, number: str, now: datetime | None = None) -> tuple[datetime, datetime] | None:
        """Between which times it will start, as far as the scheduler can say.

        Slurm plans with the full time limit of every running job: it starts then at the latest,
        unless somebody with more priority comes.
        """
        job = self._jobs.get(number)
        now = now or datetime.now(UTC)
        if job is None or job.start is None or job.start < now:
            return None
        return now, job.start


def within(span: timedelta) -> str:
    """A span in words, coarse: an estimate to the second would promise too much."""
    minutes = max(1, round(span.total_seconds() / 60))
    if minutes < 90:
        return f"{minutes} min" if minutes < 10 else f"{-(-minutes // 5) * 5} min"
    hours = minutes / 60
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"
