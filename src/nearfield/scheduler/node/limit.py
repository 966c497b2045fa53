"""The time limit: when it is, the warnings before it, and the grace that the server gets."""

import os
from typing import Any, Dict, List, Optional

from nearfield.scheduler.node.session import say, write_json

EXIT_TIME_LIMIT = 79
LEAST_GRACE = 20.0


class Limit:
    """What is known here of the job's end. The hub, which asks Slurm, knows of later changes."""

    def __init__(self, folder: str, session: Dict[str, Any], now: float) -> None:
        self.ends = end_of_job(session.get("minutes"), now)
        self.grace = max(LEAST_GRACE, session["task"]["grace_seconds"] - 5.0)
        self._file = os.path.join(folder, "warning.json")
        marks = sorted(session["task"]["warn_minutes"], reverse=True)
        self._marks: List[int] = list(marks)

    def sleep_for(self, now: float) -> float:
        """How long nothing is due."""
        if self.ends is None or not self._marks:
            return 3600.0
        return min(3600.0, max(0.0, self.ends - self._marks[0] * 60 - now))

    def warn(self, now: float) -> None:
        """Write the warning that is due. Of several at once, the last is the one that counts."""
        due: Optional[int] = None
        while self.ends is not None and self._marks and now >= self.ends - self._marks[0] * 60:
            due = self._marks.pop(0)
        if due is not None:
            left = max(1, round(((self.ends or now) - now) / 60))
            self._tell(due, "This session reaches its time limit in about %d min." % left, now)

    def reached(self, now: float) -> None:
        """The signal has come that Slurm sends ahead of the limit."""
        self._marks = []
        self._tell(0, "This session reaches its time limit now and is ended.", now)

    def _tell(self, minutes: int, message: str, now: float) -> None:
        say(message)
        told = {"version": 1, "minutes": minutes, "message": message, "ends": self.ends, "at": now}
        write_json(self._file, told)


def end_of_job(minutes: Optional[int], now: float) -> Optional[float]:
    """Slurm's word (23.02 and later tell a job when it ends), or what the limit comes to."""
    for name, more in (("SLURM_JOB_END_TIME", 0), ("SLURM_JOB_START_TIME", (minutes or 0) * 60)):
        word = os.environ.get(name, "")
        if word.isdigit() and int(word) > 1000000000 and (more or name.endswith("END_TIME")):
            return float(int(word) + more)
    return now + minutes * 60 if minutes else None
