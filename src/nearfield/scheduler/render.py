"""From a JobSpec to a batch script: the one place.

The script is a fixed body with one value in it, the quoted path of the session folder. What is to
be run, for whom, over which data, lies in that folder (:mod:`nearfield.scheduler.staging`), so no
value of a user can become shell syntax or an ``#SBATCH`` line. What Slurm itself must know are
options of ``sbatch``, one argument each.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from nearfield.config import Hardware
from nearfield.scheduler import node_program
from nearfield.scheduler.jobspec import JobSpec, SessionTask

END_OF_PROGRAM = "NEARFIELD_NODE_PROGRAM"

# USR2 tells that the time limit is near; it may come before the program can listen for it.
# The program comes on standard input: an argument could be read by everybody on the node, and a
# file would have to be installed on every node. -I: nothing of the user's Python setup is used.
_BODY = """\
#!/bin/sh
umask 077
trap '' USR2
for python in /usr/bin/python3 /usr/libexec/platform-python /usr/local/bin/python3 python3; do
    command -v "$python" >/dev/null 2>&1 && break
done
exec "$python" -I - {session_dir} <<'{end}'
{program}{end}
"""


def script(spec: JobSpec, session_dir: Path) -> str:
    """The batch script of ``spec``, whose session folder has been staged."""
    if session_dir.name != spec.name:
        raise ValueError(f"{session_dir} is not the folder of {spec.name}")
    return _BODY.format(
        session_dir=shlex.quote(str(session_dir)), end=END_OF_PROGRAM, program=node_program.text()
    )


def sbatch_argv(spec: JobSpec, bin_dir: Path, session_dir: Path) -> list[str]:
    """The command that queues ``spec``; the script goes to its standard input."""
    return [
        str(bin_dir / "sbatch"),
        "--parsable",
        f"--job-name={spec.name}",
        # A node failure would start the session again on another host, with a stale address.
        "--no-requeue",
        # The limits of the hub's service (file size, core) are not the job's.
        "--propagate=NONE",
        # sbatch runs in an environment that we made (see commands.job_environment): ALL is
        # exactly that. NONE, NIL and a list of names make slurmd run a login shell of the user.
        "--export=ALL",
        # A relative name: Slurm expands % in a path, and a home may have one.
        f"--chdir={session_dir}",
        "--output=log",
        "--error=log",
        "--open-mode=append",
        "--input=/dev/null",
        "--nodes=1",
        "--ntasks=1",
        *_hardware(spec.hardware),
        *([f"--signal=B:USR2@{grace}"] if (grace := grace_of(spec)) else []),
        *([f"--comment={spec.comment}"] if spec.comment else []),
    ]


def grace_of(spec: JobSpec) -> int:
    """How many seconds before the time limit the session is told; 0: not at all.

    The signal goes to the node program alone (B:), which asks the server to end, once. A timer of
    its own would not know of a limit that an administrator has changed since. Slurm may send it a
    minute early, so a short job is left alone: it would be told at its start.
    """
    task = spec.task
    grace = task.grace_seconds if isinstance(task, SessionTask) else 0
    return grace if spec.hardware.minutes * 60 >= 2 * grace + 120 else 0


def _hardware(hardware: Hardware) -> list[str]:
    options = [
        f"--cpus-per-task={hardware.cores}",
        f"--mem={hardware.memory_mb}M",
        f"--time={hardware.minutes}",
    ]
    if hardware.gpus:
        kind = f"{hardware.gpu_type}:" if hardware.gpu_type else ""
        options.append(f"--gres=gpu:{kind}{hardware.gpus}")
    for name in ("partition", "account", "qos", "reservation", "constraint"):
        value = getattr(hardware, name)
        if value is not None:
            options.append(f"--{name}={value}")
    return options
