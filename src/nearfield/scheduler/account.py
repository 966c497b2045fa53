"""Slurm as one account: the verbs that the launcher runs for a user, and a login node for itself.

Synchronous and without asyncio, because the launcher's start-up time is part of every spawn.
"""

from __future__ import annotations

import os
import pwd
import signal
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from nearfield.config import Cluster
from nearfield.errors import SchedulerError, SchedulerUnavailableError, SubmitError
from nearfield.scheduler import images, render, rights, staging, submit_lock
from nearfield.scheduler._protocol import JobState, JobStatus, PathAccess
from nearfield.scheduler.commands import Result, job_environment, query_environment, run
from nearfield.scheduler.jobspec import JobSpec
from nearfield.scheduler.slurm_forecast import parse_test_only
from nearfield.scheduler.slurm_output import (
    SACCT_FORMAT,
    SQUEUE_FORMAT,
    is_job_number,
    parse_sacct,
    parse_squeue,
    parse_submitted,
)

ALARM_MARGIN = 10.0
GONE = "not known to Slurm any more"


class SlurmAccount:
    """Slurm's commands as the account that runs this process."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        sessions: Path | None = None,
        submit_seconds: float = 40,
        query_seconds: float = 15,
    ) -> None:
        self.cluster = cluster
        self.sessions = sessions or staging.sessions_dir()
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self._submit_seconds = submit_seconds
        self._query_seconds = query_seconds

    # ------------------------------------------------------------------ verbs

    def submit(self, spec: JobSpec) -> str:
        """Stage and queue; the job's number."""
        images.refuse_image(spec.task, self.sessions)
        folder = staging.stage(spec, self.sessions)
        try:
            with submit_lock.submitting(folder) as lock:
                done = run(
                    render.sbatch_argv(spec, self.cluster.bin, folder),
                    stdin=render.script(spec, folder),
                    env=job_environment(self.cluster.conf),
                    timeout=self._time_to_submit(),
                    inherits=lock,
                )
        except SubmitError:
            staging.give_up(self.sessions, spec.name)  # sbatch was not run: nobody reads the tokens
            raise
        except SchedulerUnavailableError as error:
            # The folder stays: the job may exist although its number was lost.
            error.hint = error.hint or "the job may have been queued all the same"
            raise
        if done.code != 0:
            if done.no_answer:
                raise SchedulerUnavailableError(f"sbatch: {done.words}")
            staging.unstage(folder)
            raise SubmitError(f"sbatch refused the job: {done.words}")
        try:
            number = parse_submitted(done.out)
        except ValueError as error:
            # A site's wrapper around sbatch may have said something else of a job that is there.
            # As with a lost answer the folder stays, and the job is found again by its name.
            raise SchedulerUnavailableError(
                f"sbatch gave {error}", hint="the job may have been queued all the same"
            ) from error
        staging.prune(self.sessions)
        return number

    def _time_to_submit(self) -> float:
        """An sbatch must not outlive the launcher, whose alarm ends the launcher alone."""
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        if not left:
            return self._submit_seconds
        if left < ALARM_MARGIN:
            raise SchedulerUnavailableError(
                "no time was left to submit the job",
                hint="the home folder or the submit host is slow: try again",
            )
        return min(self._submit_seconds, left - ALARM_MARGIN / 2)

    def estimate(self, spec: JobSpec) -> datetime:
        """When Slurm would start such a job now. Nothing is staged, nothing is queued."""
        argv = render.sbatch_argv(spec, self.cluster.bin, self.sessions / spec.name)
        done = run(
            [argv[0], "--test-only", *argv[1:]],
            stdin="#!/bin/sh\n",
            env=query_environment(self.cluster.conf),
            timeout=self._query_seconds,
        )
        if (found := parse_test_only(done.err)) is not None:
            return found
        if done.code != 0 and not done.no_answer:
            raise SubmitError(f"sbatch would refuse the job: {done.words}")
        raise SchedulerUnavailableError(f"sbatch: {done.words}")

    def cancel(self, number: str, name: str | None = None) -> None:
        """End a job; one that is over, or not there, is no error. ``name`` if it is known."""
        done = self._query("scancel", _valid(number))
        if done.code != 0 and not done.unknown_id:
            if done.no_answer:
                raise SchedulerUnavailableError(f"scancel: {done.words}")
            raise SchedulerError(f"scancel {number}: {done.words}")
        # A job that still waited has not read its tokens, and never will.
        with suppress(SchedulerUnavailableError):
            staging.forget_secrets(self.sessions, name or self.name_of(number) or "")

    def name_of(self, number: str) -> str | None:
        """The name of this account's job; None if Slurm lists no such job of this account."""
        done = self._query(
            "squeue", "-h", "-t", "all", "-u", self.user, "-j", _valid(number), "-o", "%j"
        )
        if done.code != 0 and not done.unknown_id:
            raise SchedulerUnavailableError(f"squeue: {done.words}")
        return done.out.removesuffix("\n") or None  # a name may end in another

    def names_of(self, numbers: Iterable[str]) -> dict[str, str]:
        """The names of those jobs of this account that queue or accounting know.

        A name may hold a newline, and so forge a line: about a job of the same account only.
        """
        asked = [_valid(n) for n in numbers]
        if not asked:
            return {}
        jobs = ",".join(asked)
        done = self._query("squeue", "-h", "-t", "all", "-u", self.user, "-j", jobs, "-o", "%A|%j")
        if done.code != 0 and not done.unknown_id:
            raise SchedulerUnavailableError(f"squeue: {done.words}")
        names = _named(done.out)
        if absent := ",".join(n for n in asked if n not in names):
            with suppress(SchedulerUnavailableError):
                found = self._query("sacct", "-nPX", "-j", absent, "-o", "JobIDRaw,JobName")
                names = _named(found.out) | names
        return names

    def status(self, numbers: Iterable[str]) -> dict[str, JobStatus]:
        """What the queue, the accounting and the controller say of these jobs of this account."""
        asked = [_valid(n) for n in numbers]
        if not asked:
            return {}
        live, complaint = self._live(asked)
        # The queue tells of a living job all there is; of an ended one not the exit code.
        unsure = [n for n in asked if not live or n not in live or live[n].state.finished]
        ended = self._accounted(unsure) if unsure else {}
        return {n: self._judge(n, live, ended.get(n), complaint) for n in asked}

    def find(self, name: str) -> str | None:
        """This account's live job of that name."""
        done = self._query("squeue", "-h", "-u", self.user, "-n", name, "-o", "%A")
        if done.code != 0:
            raise SchedulerUnavailableError(f"squeue: {done.words}")
        numbers = [n for n in done.out.split() if is_job_number(n)]
        return max(numbers, key=int) if numbers else None

    def withdraw(self, name: str) -> bool:
        """Is it certain that no job of that name comes any more? Then none is in the queue either.

        Where a submit has taken the name before, it must have ended without a job: the launcher
        that did it was killed.
        """
        if staging.withdraw(self.sessions, name):
            return True
        if not submit_lock.over(self.sessions / name):
            return False
        done = self._query("squeue", "-h", "-t", "all", "-u", self.user, "-n", name, "-o", "%A")
        if done.code != 0 or done.out.strip():
            return False
        staging.give_up(self.sessions, name)
        return True

    def log_tail(self, name: str, lines: int) -> str:
        return staging.log_tail(self.sessions, name, lines)

    def image(self, name: str) -> dict[str, Any]:
        """What a session's job has found out about its image."""
        return images.image_of_session(self.sessions, name)

    def access(self, paths: Iterable[str]) -> dict[str, PathAccess]:
        return rights.access(paths)

    # ------------------------------------------------------------------ what became of a job

    def _live(self, numbers: list[str]) -> tuple[dict[str, JobStatus] | None, str]:
        try:
            mine = ("-t", "all", "-u", self.user, "-j", ",".join(numbers))
            done = self._query("squeue", "-h", *mine, "-o", SQUEUE_FORMAT)
        except SchedulerUnavailableError as error:
            return None, error.message
        # squeue calls a single job that it does not know an error, one among several not.
        if done.code == 0 or done.unknown_id:
            return parse_squeue(done.out), ""
        return None, f"squeue: {done.words}"

    def _accounted(self, numbers: list[str]) -> dict[str, JobStatus]:
        """Empty where the site keeps no accounting or its database does not answer."""
        try:
            # Not narrowed by -u: sacct then tells of an end up to 5 s later (measured, 22.05).
            done = self._query("sacct", "-nPX", "-j", ",".join(numbers), "-o", SACCT_FORMAT)
        except SchedulerUnavailableError:
            return {}
        return parse_sacct(done.out) if done.code == 0 else {}

    def _judge(
        self,
        number: str,
        live: dict[str, JobStatus] | None,
        ended: JobStatus | None,
        complaint: str,
    ) -> JobStatus:
        over = ended is not None and ended.state.finished
        seen = live.get(number) if live is not None else None
        if seen is not None:
            if seen.state.finished and over and ended is not None:
                more = {"exit_code": ended.exit_code, "reason": ended.reason or seen.reason}
                return seen.model_copy(update=more)
            return seen
        if over and ended is not None:
            return ended
        if live is None:
            return JobStatus(state=JobState.UNKNOWN, reason=complaint)
        # Not in the queue, and no end on record. Accounting may be off, late or purged: only the
        # controller itself can say that it has never heard of the job.
        if self._controller_forgot(number):
            return JobStatus(state=JobState.FAILED, reason=GONE)
        return JobStatus(state=JobState.UNKNOWN, reason="in neither queue nor accounting")

    def _controller_forgot(self, number: str) -> bool:
        try:
            return self._query("scontrol", "-o", "show", "job", number).unknown_id
        except SchedulerUnavailableError:
            return False

    def _query(self, command: str, *args: str) -> Result:
        return run(
            [str(self.cluster.bin / command), *args],
            env=query_environment(self.cluster.conf),
            timeout=self._query_seconds,
        )


def _named(out: str) -> dict[str, str]:
    rows = (line.split("|", 1) for line in out.splitlines() if "|" in line)
    return {number: name for number, name in rows if is_job_number(number)}


def _valid(number: str) -> str:
    if not is_job_number(number):
        raise SchedulerError(f"not a job number: {number[:40]!r}")
    return number
