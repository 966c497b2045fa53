"""The batch script, and what sbatch is told of a job: of a session, and of its worker jobs.

The script is a fixed body with one value in it, the quoted path of a folder. What is to be run lies
in that folder, so no value of a user can become shell syntax or a directive of Slurm.
"""

import shlex
from typing import Any, Dict, List

END_OF_PROGRAM = "NEARFIELD_NODE_PROGRAM"
# USR2 tells that the time limit is near; it may come before the program can listen for it.
# The program comes on standard input: an argument could be read by everybody on the node, and a
# file would have to be installed on every node. It keeps its own text, for the jobs that it starts.
# -I: nothing of the user's Python setup is used.
BODY = """\
#!/bin/sh
umask 077
trap '' USR2
for python in /usr/bin/python3 /usr/libexec/platform-python /usr/local/bin/python3 python3; do
    command -v "$python" >/dev/null 2>&1 && break
done
exec "$python" -I -c {start} {folder} <<'{end}'
{program}{end}
"""
START = "import sys; PROGRAM = sys.stdin.buffer.read(); exec(PROGRAM)"


def batch_script(folder: str, program: str) -> str:
    """A job over ``folder`` that runs ``program``, the text of these modules."""
    return BODY.format(
        start=shlex.quote(START), folder=shlex.quote(folder), end=END_OF_PROGRAM, program=program
    )


def job_options(name: str, folder: str, hardware: Dict[str, Any], grace: int) -> List[str]:
    """The options of sbatch, one argument each. ``grace``: seconds of warning before the limit."""
    return [
        "--parsable",
        "--job-name=" + name,
        # A node failure would start the job again on another host, with a stale address.
        "--no-requeue",
        # The limits of who submits (file size, core) are not the job's.
        "--propagate=NONE",
        # sbatch runs in an environment that we made: ALL is exactly that. NONE, NIL and a list of
        # names make slurmd run a login shell of the user.
        "--export=ALL",
        # A relative name: Slurm expands % in a path, and a home may have one.
        "--chdir=" + folder,
        "--output=log",
        "--error=log",
        "--open-mode=append",
        "--input=/dev/null",
        "--nodes=1",
        "--ntasks=1",
        *hardware_options(hardware),
        *(["--signal=B:USR2@%d" % grace] if grace else []),
    ]


def hardware_options(hardware: Dict[str, Any]) -> List[str]:
    options = [
        "--cpus-per-task=%d" % hardware["cores"],
        "--mem=%dM" % hardware["memory_mb"],
        "--time=%d" % hardware["minutes"],
    ]
    if hardware["gpus"]:
        kind = hardware["gpu_type"] + ":" if hardware["gpu_type"] else ""
        options.append("--gres=gpu:%s%d" % (kind, hardware["gpus"]))
    for key in ("partition", "account", "qos", "reservation", "constraint"):
        if hardware[key] is not None:
            options.append("--%s=%s" % (key, hardware[key]))
    return options


def usable_grace(seconds: int, minutes: int) -> int:
    """How long before its limit a job is told; 0: not at all.

    The signal goes to the node program alone (B:), which asks its child to end, once. A timer of
    its own would not know of a limit that an administrator has changed since. Slurm may send it a
    minute early, so a short job is left alone: it would be told at its start.
    """
    return seconds if minutes * 60 >= 2 * seconds + 120 else 0
