"""Reading what Slurm's commands print. Pure functions, tested on recorded output.

``--json`` is left alone: its schema changes between releases, and 22.05 has it for three commands
only. No text that a user may set (job name, comment) is ever among the columns: a name may hold a
newline, and would forge a row about somebody else's job.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from nearfield.scheduler._protocol import JobState, JobStatus, QueuedJob
from nearfield.scheduler.node.states import JOB_NUMBER, state_word

SEPARATOR = "|"
SQUEUE_FORMAT = SEPARATOR.join(("%A", "%T", "%B", "%S", "%e", "%r"))
"""Job, state, first node, start, end, reason. The reason comes last: it is free text of Slurm."""
OWNED_FORMAT = SEPARATOR.join(("%u", SQUEUE_FORMAT))
"""The same of jobs of several accounts, with each job's account before it."""
QUEUE_FORMAT = SEPARATOR.join(("%A", "%P", "%Q", "%S"))
"""Of a waiting job: number, partitions, priority, planned start."""
NAMED_FORMAT = SEPARATOR.join(("%A", "%u", "%j"))
"""Asked for with ``-n`` only, which lists exact names: none of them can hold a newline."""
SACCT_FORMAT = "JobIDRaw,State,ExitCode,NodeList,Start,End,Reason"

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)


def is_job_number(text: str) -> bool:
    """A plain job number; array and heterogeneous parts are never ours."""
    return bool(JOB_NUMBER.fullmatch(text))


def is_host(text: str) -> bool:
    """A host name and nothing more: it becomes part of a URL."""
    return bool(_HOST.fullmatch(text))


def state_of(word: str) -> JobState:
    """Slurm's word as a JobState: ``CANCELLED by 1000`` and ``CANCELLED+`` are CANCELLED."""
    return JobState(state_word(word))


def parse_submitted(out: str) -> str:
    """The job number of ``sbatch --parsable``: ``123`` or ``123;cluster``.

    Raises:
        ValueError: the answer holds none.
    """
    # A site's submit plugin may print before it.
    for line in reversed(out.strip().splitlines()):
        number = line.strip().split(";", 1)[0]
        if is_job_number(number):
            return number
    raise ValueError(f"no job number in {out.strip()[:200]!r}")


def parse_squeue(out: str) -> dict[str, JobStatus]:
    """Job number → status. Lines of another shape are left out."""
    found = {}
    for line in out.splitlines():
        fields = line.split(SEPARATOR, 5)
        if len(fields) != 6 or not is_job_number(fields[0].strip()):
            continue
        number, word, node, start, end, reason = (f.strip() for f in fields)
        state = state_of(word)
        pending = state is JobState.PENDING
        found[number] = JobStatus(
            state=state,
            reason=_reason(word, reason, state),
            # While a job waits, both times are an estimate, and the node is not decided.
            host=None if pending else _host(node),
            started=None if pending else _time(start),
            ends=None if pending else _time(end),
        )
    return found


def parse_owned(out: str) -> dict[str, tuple[str, JobStatus]]:
    """Job number → account and status, of OWNED_FORMAT."""
    found = {}
    for line in out.splitlines():
        owner, _, row = line.partition(SEPARATOR)
        for number, status in parse_squeue(row).items():
            found[number] = owner.strip(), status
    return found


def parse_queue(out: str) -> tuple[QueuedJob, ...]:
    """The waiting jobs. A job array counts once; lines of another shape are left out."""
    found = {}
    for line in out.splitlines():
        fields = [field.strip() for field in line.split(SEPARATOR)]
        if len(fields) == 4 and is_job_number(fields[0]) and fields[2].isdecimal():
            number, partitions, priority, start = fields
            found[number] = QueuedJob(
                number=number,
                partitions=tuple(p for p in partitions.split(",") if p),
                priority=int(priority),
                start=_time(start),
            )
    return tuple(found.values())


def parse_named(out: str) -> dict[tuple[str, str], str]:
    """(user, name) → job number; the latest, should there be several."""
    found: dict[tuple[str, str], str] = {}
    for line in out.splitlines():
        fields = line.split(SEPARATOR)
        if len(fields) == 3 and is_job_number(fields[0]):
            key = fields[1].strip(), fields[2].strip()
            found[key] = max(found.get(key, "0"), fields[0], key=int)
    return found


def parse_sacct(out: str) -> dict[str, JobStatus]:
    """Job number → status, from ``sacct -nPX``."""
    found = {}
    for line in out.splitlines():
        fields = line.split(SEPARATOR, 6)
        if len(fields) != 7 or not is_job_number(fields[0].strip()):
            continue
        number, word, code, nodes, start, end, reason = (f.strip() for f in fields)
        state = state_of(word)
        found[number] = JobStatus(
            state=state,
            reason=_reason(word, reason, state),
            host=None if state is JobState.PENDING else _host(nodes),
            exit_code=_exit_code(code) if state.finished else None,
            started=_time(start),
            ends=_time(end),
        )
    return found


def _reason(word: str, reason: str, state: JobState) -> str:
    shown = "" if reason in {"None", "(null)", "N/A"} else reason
    if found := re.fullmatch(r"CANCELLED by (\d{1,10})", word, re.ASCII):
        return f"by uid {found[1]}"
    if state is JobState.UNKNOWN:
        return f"state {word}" if not shown else f"state {word}, {shown}"
    if not shown and word.upper() in {"BOOT_FAIL", "DEADLINE", "LAUNCH_FAILED", "REVOKED"}:
        return word.upper()
    return shown


def _exit_code(text: str) -> int | None:
    """``code:signal`` as a shell would tell it."""
    found = re.fullmatch(r"(\d{1,4}):(\d{1,4})", text, re.ASCII)
    if not found:
        return None
    code, signal = int(found[1]), int(found[2])
    return 128 + signal if signal and not code else code


def _host(nodes: str) -> str | None:
    """The first name of a node list: ``na1``, ``na[1-4,7],nb1`` → ``na1``."""
    if not nodes or nodes in {"n/a", "N/A", "(null)", "None assigned", "None"}:
        return None
    first = re.match(r"([A-Za-z0-9_.-]+)(?:\[([0-9]+))?", nodes, re.ASCII)
    host = first[1] + (first[2] or "") if first else ""
    return host if is_host(host) else None


def _time(text: str) -> datetime | None:
    """A time of a command that ran with ``TZ=UTC``."""
    if not _TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
