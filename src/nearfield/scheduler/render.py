"""From a JobSpec to a batch script: the one place.

The script is a fixed body with one value in it, the quoted path of the session folder
(:mod:`nearfield.scheduler.node.batch`, which renders worker jobs too). What is to be run, for whom,
over which data, lies in that folder (:mod:`nearfield.scheduler.staging`), so no value of a user can
become shell syntax or an ``#SBATCH`` line. What Slurm itself must know are options of ``sbatch``,
one argument each.
"""

from __future__ import annotations

from pathlib import Path

from nearfield.scheduler import node_program
from nearfield.scheduler.jobspec import JobSpec, SessionTask
from nearfield.scheduler.node.batch import batch_script, job_options, usable_grace


def script(spec: JobSpec, session_dir: Path) -> str:
    """The batch script of ``spec``, whose session folder has been staged."""
    if session_dir.name != spec.name:
        raise ValueError(f"{session_dir} is not the folder of {spec.name}")
    return batch_script(str(session_dir), node_program.text())


def sbatch_argv(spec: JobSpec, bin_dir: Path, session_dir: Path) -> list[str]:
    """The command that queues ``spec``; the script goes to its standard input."""
    hardware = spec.hardware.model_dump()
    return [
        str(bin_dir / "sbatch"),
        *job_options(spec.name, str(session_dir), hardware, grace_of(spec)),
        *([f"--comment={spec.comment}"] if spec.comment else []),
    ]


def grace_of(spec: JobSpec) -> int:
    """How many seconds before the time limit the session is told; 0: not at all."""
    task = spec.task
    grace = task.grace_seconds if isinstance(task, SessionTask) else 0
    return usable_grace(grace, spec.hardware.minutes)
