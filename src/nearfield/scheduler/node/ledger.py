"""The worker jobs of a session: started within the profile's limit, looked at, ended.

A worker job is a job like the session's own: the same program, over a folder of its own beside the
session's, with the same image, mounts and hardware. Its folder holds its TLS key until it starts.
"""

import binascii
import json
import os
import shutil
import threading
import time
from typing import Any, Dict, List, Optional

from nearfield.scheduler.node.batch import batch_script, job_options, usable_grace
from nearfield.scheduler.node.session import say
from nearfield.scheduler.node.slurm import NodeSlurm, SlurmSaid
from nearfield.scheduler.node.states import OVER

WORKER_PREFIX = "nearfield-worker-"
LOOK_SECONDS = 1.0
"""squeue is not asked more often than this, however often we are."""
QUIET_SECONDS = 60.0
QUIET_LOOK_SECONDS = 10.0
"""The same, once no job has changed for so long: jobs run, or wait, for hours."""
SETTLE_SECONDS = 10.0
"""So long after its end a job's exit code is asked for."""
ABSENT_SECONDS = 600.0
"""A job that Slurm, answering, does not list for so long is none: it forgets a job some minutes
after its end, and not every site has an accounting."""
AGAIN_SECONDS = 30.0
"""From one try to end jobs to the next, where Slurm does not answer."""
LOG_BYTES = 64 * 1024
LOG_LINE = 300
WORKER_GRACE = 30
"""So long before its time limit a worker that is still there is asked to end."""


class NotDone(Exception):
    """A request that is refused; ``reason`` is one word for the program that asked."""

    def __init__(self, reason: str, message: str) -> None:
        Exception.__init__(self, message)
        self.reason = reason


class WorkerJob:
    """One job and what is known of it."""

    def __init__(self, name: str, folder: str, owner: object) -> None:
        self.name = name
        self.folder = folder
        self.owner = owner
        """The connection that it was started over."""
        self.number = ""
        self.known = {"state": "unknown", "reason": "not asked yet", "node": None, "start": None,
                      "ends": None, "exit_code": None}  # type: Dict[str, Any]  # fmt: skip
        self.over_at = 0.0
        self.absent_since = 0.0
        self.cancelled = False
        self.wanted = True
        """False once its connection has closed."""

    def over(self) -> bool:
        return self.over_at > 0

    def settled(self, now: float) -> bool:
        """Is nothing more to be learned?"""
        return self.over() and (
            self.known["exit_code"] is not None or now > self.over_at + SETTLE_SECONDS
        )


class Ledger:
    """All worker jobs of the session in ``folder``; threads may share it."""

    def __init__(
        self, folder: str, session: Dict[str, Any], slurm: NodeSlurm, program: str
    ) -> None:
        self.folder = folder
        self.session = session
        self.slurm = slurm
        self.most = int(session["task"]["workers"])
        self._program = program
        self._jobs = []  # type: List[WorkerJob]
        self._starting = threading.Lock()
        self._looking = threading.Lock()
        self._cancelling = threading.Lock()
        self._looked = self._changed = 0.0
        self._tried = 0.0
        self._ending = False

    def why_none(self) -> str:
        """Why no worker job can be started at all; "" if one can."""
        if self.most < 1:
            return "the profile %s starts no worker jobs (workers: 0)" % self.session["profile"]
        if not self._program:
            return "this session was not started by a batch script"
        return self.slurm.why_none()

    def jobs_of(self, owner: object) -> Dict[str, WorkerJob]:
        return {job.number: job for job in self._jobs if job.owner is owner and job.number}

    def options(self, name: str, folder: str, minutes: Optional[int]) -> List[str]:
        hardware = dict(self.session["hardware"])
        hardware["minutes"] = min(hardware["minutes"], minutes or hardware["minutes"])
        grace = usable_grace(WORKER_GRACE, hardware["minutes"])
        return job_options(name, folder, hardware, grace)

    def new_name(self) -> str:
        """Whoever finds the job sees whose it is; the nonce makes it the only one of its name."""
        session = self.session["name"].rsplit("-", 1)[-1]
        return "%s%s-%s" % (WORKER_PREFIX, session, binascii.hexlify(os.urandom(4)).decode())

    def start(
        self, owner: object, minutes: Optional[int], content: Dict[str, Any], secrets: object
    ) -> WorkerJob:
        """Queue one worker job. ``content`` goes to its session.json, ``secrets`` to a file that it
        removes once read."""
        with self._starting:
            if self._ending:
                raise NotDone("ending", "this session is ending")
            self._keep_to_the_limit()
            name = self.new_name()
            folder = os.path.join(os.path.dirname(self.folder), name)
            job = WorkerJob(name, folder, owner)
            options = self.options(name, folder, minutes)
            stage_worker(folder, dict(content, name=name), secrets)
            try:
                job.number = self.slurm.submit(options, batch_script(folder, self._program))
            except SlurmSaid as error:
                if error.no_answer:
                    withdraw_worker(folder)
                    self._end_named(name)
                    raise NotDone("unavailable", str(error)) from None
                shutil.rmtree(folder, ignore_errors=True)
                raise NotDone("refused", str(error)) from None
            self._jobs.append(job)
            self._changed = time.time()
        if self._ending:  # whoever ends all jobs did not wait for so long
            self.end_again()
            raise NotDone("ending", "this session is ending")
        say("worker job %s (%s) is queued" % (job.number, name))
        return job

    def _keep_to_the_limit(self) -> None:
        if len([job for job in self._jobs if not job.over()]) >= self.most:
            self.look(closely=True)
        alive = len([job for job in self._jobs if not job.over()])
        if alive >= self.most:
            message = "this session has %d worker jobs, and its profile %s allows %d at a time"
            raise NotDone("limit", message % (alive, self.session["profile"], self.most))

    def _end_named(self, name: str) -> None:
        """The job may have been queued although its number was lost; it could not run anyway,
        without its secrets."""
        try:
            self.slurm.cancel([], name)
        except SlurmSaid:
            say("%s may be in the queue; it ends by itself as soon as it starts" % name)

    def look(self, closely: bool = False) -> str:
        """Ask Slurm about all jobs that may have changed. Why it did not answer, or ""."""
        with self._looking:
            now = time.time()
            quiet = not closely and now - self._changed > QUIET_SECONDS
            pause = max(LOOK_SECONDS, QUIET_LOOK_SECONDS) if quiet else LOOK_SECONDS
            asked = [job for job in self._jobs if not job.settled(now)]
            if not asked or now < self._looked + pause:
                return ""
            self._looked = now
            numbers = [job.number for job in asked]
            try:
                queued = self.slurm.queued(numbers)
            except SlurmSaid as error:
                # No answer is no end.
                for job in asked:
                    if not job.over():
                        job.known.update(state="unknown", reason=str(error))
                return str(error)
            unsure = [n for n in numbers if n not in queued or queued[n]["state"] in OVER]
            ended = self.slurm.accounted(unsure) if unsure else {}
            for job in asked:
                self._judge(job, queued.get(job.number), ended.get(job.number), now)
        return ""

    def _judge(
        self, job: WorkerJob, live: Optional[Dict[str, Any]], ended: Optional[Dict[str, Any]],
        now: float,
    ) -> None:  # fmt: skip
        over, before = ended is not None and ended["state"] in OVER, job.known["state"]
        if live is not None:
            job.known, job.absent_since = dict(live), 0.0
            if live["state"] in OVER and over and ended is not None:
                job.known.update(exit_code=ended["exit_code"])
        elif over and ended is not None:
            job.known = dict(ended)
        elif not job.over():
            # Absent is not gone. But where its own word is there, it has ended.
            told = read_told(job.folder, "result.json")
            if "exit_code" in told:
                state = "failed" if told["exit_code"] else "completed"
                job.known.update(state=state, exit_code=told["exit_code"], reason="")
            else:
                job.absent_since = job.absent_since or now
                lost = now - job.absent_since >= ABSENT_SECONDS
                word = "failed" if lost else "unknown"
                job.known.update(state=word, reason="in neither queue nor accounting")
        if job.known["state"] != before:
            self._changed = now
        if job.known["state"] in OVER and not job.over():
            job.over_at = now
            withdraw_worker(job.folder)

    def end(self, jobs: List[WorkerJob]) -> List[str]:
        """Ask jobs to end, in one command; those of them that may not be over yet."""
        left = [job for job in jobs if not job.over()]
        for job in left:
            withdraw_worker(job.folder)
        if left:
            self.slurm.cancel([job.number for job in left])
            say("ended worker jobs " + " ".join(job.number for job in left))
        for job in left:
            job.cancelled = True
            self._changed = time.time()
        return [job.number for job in left]

    def end_of(self, owner: object) -> None:
        """The end of all jobs of a connection that has closed."""
        for job in self._jobs:
            job.wanted = job.wanted and job.owner is not owner
        self._end_quietly(self._unwanted())

    def _unwanted(self) -> List[WorkerJob]:
        left = [job for job in self._jobs if not (job.cancelled or job.over())]
        return left if self._ending else [job for job in left if not job.wanted]

    def may_end_again(self) -> bool:
        """Did Slurm not answer when jobs were to end, some time ago? They count for the limit, and
        those in the queue would wait there for nobody."""
        return time.monotonic() - self._tried >= AGAIN_SECONDS and bool(self._unwanted())

    def end_again(self) -> None:
        self._end_quietly(self._unwanted())

    def end_all(self, seconds: float) -> None:
        """No job is started any more, and all are asked to end. Waits for a submit on its way."""
        self._ending = True
        if self._starting.acquire(timeout=seconds):
            self._starting.release()
        self.end_again()

    def _end_quietly(self, jobs: List[WorkerJob]) -> None:
        self._tried = time.monotonic()
        try:
            # A kernel and its session often end at the same moment.
            with self._cancelling:
                self.end([job for job in jobs if not job.cancelled])
        except SlurmSaid as error:
            say("worker jobs could not be ended (%s); they end without their scheduler" % error)


def stage_worker(folder: str, content: Dict[str, Any], secrets: object) -> None:
    """The folder of a worker job, as :mod:`nearfield.scheduler.staging` makes a session's."""
    try:
        os.mkdir(folder, 0o700)
        for name, what in (("session.json", content), ("environment.json", secrets), ("log", None)):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            fd = os.open(os.path.join(folder, name), flags, 0o600)
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                if what is not None:
                    json.dump(what, file)
                    file.flush()
                    os.fsync(file.fileno())  # a full file system says so only here
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise NotDone("folder", "%s cannot be written: %s" % (folder, error.strerror)) from None


def withdraw_worker(folder: str) -> None:
    """Without its secrets a job that still waits ends as soon as it starts. Its folder is pruned
    as that of a job that ended."""
    try:
        os.unlink(os.path.join(folder, "environment.json"))
        result = os.path.join(folder, "result.json")
        with os.fdopen(os.open(result, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write('{"withdrawn": true}')
    except OSError:
        pass  # it has begun, and tells its end itself


def read_told(folder: str, name: str) -> Dict[str, Any]:
    """What a job has written down in its folder; empty before it has."""
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return dict(json.loads(file.read(LOG_BYTES)))
    except (OSError, ValueError, TypeError):
        return {}


def last_of_log(folder: str, lines: int) -> str:
    """The last lines of a job's log, without control characters."""
    try:
        with open(os.path.join(folder, "log"), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_BYTES))
            text = file.read(LOG_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    last = text.splitlines()[-lines:] if lines > 0 else []
    return "\n".join("".join(c for c in s if c.isprintable())[:LOG_LINE] for s in last)
