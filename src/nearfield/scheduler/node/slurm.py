"""Slurm's commands as the account of this job: queue a job, look at jobs, end them.

Fixed programs with fixed options; no value is ever more than one argument. What they print is read
as :mod:`nearfield.scheduler.slurm_output` does on a host where Nearfield is installed.
"""

import calendar
import os
import re
import signal
import subprocess
import time
from typing import Any, Dict, List, Optional, Tuple

from nearfield.scheduler.node.session import own_account
from nearfield.scheduler.node.states import JOB_NUMBER, OVER, state_word

SUBMIT_SECONDS = 30.0
QUERY_SECONDS = 10.0
SQUEUE_COLUMNS = "%A|%T|%B|%S|%e|%r"
SACCT_COLUMNS = "JobIDRaw,State,ExitCode,NodeList,Start,End,Reason"
TO_START = re.compile(r"\bto start at (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\b")
# Slurm's and munge's words for "nobody answered" (see nearfield.scheduler.commands).
NO_ANSWER = re.compile(
    r"Unable to contact|timed out|[Cc]onnection|munge|[Aa]uthentication|Zero Bytes|Communication|"
    r"unable to (establish|resolve)|Transport endpoint|standby mode|configless|[Nn]o route|"
    r"temporarily|fatal:|configuration (file|source)|slurmdbd"
)


class SlurmSaid(Exception):
    """A command that did not do what it should. ``no_answer``: for lack of an answer."""

    def __init__(self, message: str, no_answer: bool) -> None:
        Exception.__init__(self, message)
        self.no_answer = no_answer


class NodeSlurm:
    """The commands in ``folder``, as the account that runs this process."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._account = own_account()  # once: a directory service may fail later

    def why_none(self) -> str:
        """Why no job can be queued from this node; "" if one can."""
        program = os.path.join(self.folder, "sbatch")
        if os.access(program, os.X_OK):
            return ""
        return "there is no %s on this node" % program

    def submit(self, options: List[str], script: str) -> str:
        """Queue a job; its number."""
        done = self._run("sbatch", options, SUBMIT_SECONDS, script, job=True)
        # A site's submit plugin may print before it.
        for line in reversed(done[1].strip().split("\n")):
            number = line.strip().split(";", 1)[0]
            if done[0] == 0 and JOB_NUMBER.fullmatch(number):
                return number
        raise complaint_of("sbatch", done)

    def estimate(self, options: List[str]) -> float:
        """When a job of these options would start; nothing is queued."""
        done = self._run("sbatch", ["--test-only", *options], QUERY_SECONDS, "#!/bin/sh\n")
        found = TO_START.search(done[2])  # it answers on standard error
        start = found and slurm_epoch(found.group(1))
        if start:
            return start
        raise complaint_of("sbatch", done)

    def queued(self, numbers: List[str]) -> Dict[str, Dict[str, Any]]:
        """What squeue lists of these jobs, by number."""
        options = ["-h", "-t", "all", "-u", self._account.pw_name, "-j", ",".join(numbers)]
        done = self._run("squeue", [*options, "-o", SQUEUE_COLUMNS], QUERY_SECONDS)
        # A single job that squeue does not know is an error to it, one among several is not.
        if done[0] != 0 and "Invalid job id" not in done[2]:
            raise complaint_of("squeue", done)
        found = {}
        for line in done[1].split("\n"):
            row = [field.strip() for field in line.split("|", 5)]
            if len(row) == 6 and JOB_NUMBER.fullmatch(row[0]):
                found[row[0]] = job_row(row[1], row[2], row[3], row[4], row[5], None)
        return found

    def accounted(self, numbers: List[str]) -> Dict[str, Dict[str, Any]]:
        """What the accounting has of them; nothing where there is none, or it does not answer."""
        options = ["-nPX", "-j", ",".join(numbers), "-o", SACCT_COLUMNS]
        try:
            done = self._run("sacct", options, QUERY_SECONDS)
        except SlurmSaid:
            return {}
        found = {}
        for line in done[1].split("\n") if done[0] == 0 else []:
            row = [field.strip() for field in line.split("|", 6)]
            if len(row) == 7 and JOB_NUMBER.fullmatch(row[0]):
                found[row[0]] = job_row(row[1], row[3], row[4], row[5], row[6], row[2])
        return found

    def cancel(self, numbers: List[str], name: str = "") -> None:
        """End jobs by number, or those of a name. One that is over is no error."""
        chosen = ["-u", self._account.pw_name, "-n", name] if name else numbers
        done = self._run("scancel", chosen, QUERY_SECONDS)
        if done[0] != 0 and not re.search("Invalid job id|already completing", done[2]):
            raise complaint_of("scancel", done)

    def _run(
        self, command: str, options: List[str], seconds: float, given: str = "", job: bool = False
    ) -> Tuple[int, str, str]:
        """Exit code and what was printed. Nothing of this job's own environment goes there: sbatch
        would take its limits from it. ``job``: it hands its environment on to one."""
        try:
            child = subprocess.Popen(
                [os.path.join(self.folder, command), *options],
                env=self._environment(job),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise SlurmSaid("%s cannot be run: %s" % (command, error.strerror), True) from None
        try:
            told = child.communicate(given.encode(), seconds)
        except subprocess.TimeoutExpired:
            end_group(child)
            raise SlurmSaid("%s did not answer within %d s" % (command, seconds), True) from None
        return (
            child.returncode,
            told[0].decode("utf-8", "replace"),
            told[1].decode("utf-8", "replace"),
        )

    def _environment(self, job: bool) -> Dict[str, str]:
        env = {
            "HOME": os.environ.get("HOME") or self._account.pw_dir,
            "USER": self._account.pw_name,
            "LOGNAME": self._account.pw_name,
            "SHELL": self._account.pw_shell or "/bin/sh",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
        }
        if not job:
            env.update(TZ="UTC", SLURM_TIME_FORMAT="standard")
        elif os.environ.get("TZ"):
            env["TZ"] = os.environ["TZ"]
        if os.environ.get("SLURM_CONF"):
            env["SLURM_CONF"] = os.environ["SLURM_CONF"]
        return env


def end_group(child: "subprocess.Popen[bytes]") -> None:
    """A site's command may be a script: what it has started would hold its pipes, and us."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait(1.0)
    except (OSError, subprocess.TimeoutExpired):
        pass  # in a dead file system even KILL waits
    for pipe in (child.stdin, child.stdout, child.stderr):
        try:
            if pipe is not None:
                pipe.close()
        except OSError:
            pass


def complaint_of(command: str, done: Tuple[int, str, str]) -> SlurmSaid:
    lines = [re.sub(r"^\w+: (error: )?", "", line).strip() for line in done[2].split("\n")]
    words = "; ".join(line for line in lines if line) or "exit code %d" % done[0]
    text = "".join(c for c in words if c.isprintable())[:1000]
    return SlurmSaid("%s: %s" % (command, text), bool(NO_ANSWER.search(done[2])))


def job_row(
    word: str, nodes: str, start: str, end: str, reason: str, code: Optional[str]
) -> Dict[str, Any]:
    state = state_word(word)
    waits = state == "pending"
    found = re.match(r"([A-Za-z0-9_][A-Za-z0-9_.-]*)(?:\[([0-9]+))?", nodes, re.ASCII)
    node = found.group(1) + (found.group(2) or "") if found else None
    known = nodes not in ("n/a", "N/A", "None assigned", "None")
    return {
        "state": state,
        "reason": "" if reason in ("None", "(null)", "N/A") else reason,
        "node": node if known and not waits else None,
        "start": slurm_epoch(start),
        "ends": None if waits else slurm_epoch(end),
        "exit_code": shell_code(code) if code is not None and state in OVER else None,
    }


def shell_code(text: str) -> Optional[int]:
    """``code:signal`` as a shell would tell it."""
    found = re.fullmatch(r"(\d{1,4}):(\d{1,4})", text, re.ASCII)
    if not found:
        return None
    code, number = int(found.group(1)), int(found.group(2))
    return 128 + number if number and not code else code


def slurm_epoch(text: str) -> Optional[float]:
    """Seconds of a time that a command printed with ``TZ=UTC``; None for ``N/A``."""
    try:
        return float(calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return None
