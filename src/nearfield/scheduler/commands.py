"""Running Slurm's commands: argv lists, a fresh environment, always a timeout."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nearfield.errors import SchedulerUnavailableError

# Slurm's and munge's words for "nobody answered", over the releases.
_NO_ANSWER = re.compile(
    r"Unable to contact|Socket timed out|[Cc]onnection (refused|timed out|reset)|munge|"
    r"[Aa]uthentication|Zero Bytes|Communication|unable to (establish|resolve)|"
    r"Transport endpoint|Connection failure|Slurm backup controller|in standby mode|"
    r"configless|[Nn]o route to host|No such file or directory|Database connection|"
    r"slurmdbd|Slurm accounting storage is disabled|temporarily|fatal:|configuration (file|source)",
)
_UNKNOWN_ID = re.compile(r"Invalid job id|Invalid job array id|already completing or completed")


@dataclass(frozen=True)
class Result:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def no_answer(self) -> bool:
        """The command failed because some daemon did not answer, not because of the request."""
        return self.code != 0 and not self.unknown_id and bool(_NO_ANSWER.search(self.err))

    @property
    def unknown_id(self) -> bool:
        return bool(_UNKNOWN_ID.search(self.err))

    @property
    def words(self) -> str:
        """What it said, in one line, without its own name in front."""
        lines = [re.sub(r"^\w+: (error: )?", "", line) for line in self.err.strip().splitlines()]
        return "; ".join(line for line in lines if line) or f"exit code {self.code}"


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    timeout: float,
    stdin: str | None = None,
    inherits: Collection[int] = (),
) -> Result:
    """Run a command. ``inherits``: open files that it gets besides the three.

    Raises:
        SchedulerUnavailableError: it does not exist here, or did not end in time.
    """
    try:
        done = subprocess.run(
            argv,
            env=env,
            timeout=timeout,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            cwd="/",
            check=False,
            pass_fds=tuple(inherits),
        )
    except subprocess.TimeoutExpired as error:
        raise SchedulerUnavailableError(
            f"{Path(argv[0]).name} did not answer within {timeout:g} s"
        ) from error
    except OSError as error:
        raise SchedulerUnavailableError(
            f"{argv[0]} cannot be run: {error.strerror}",
            hint="check clusters.<name>.bin in nearfield.yaml",
        ) from error
    return Result(done.returncode, done.stdout, done.stderr)


def _base(conf: Path | None) -> dict[str, str]:
    account = pwd.getpwuid(os.getuid())
    env = {
        "HOME": os.environ.get("HOME") or account.pw_dir,
        "USER": account.pw_name,
        "LOGNAME": account.pw_name,
        "SHELL": account.pw_shell or "/bin/sh",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
    }
    if conf is not None:
        env["SLURM_CONF"] = str(conf)
    return env


def query_environment(conf: Path | None) -> dict[str, str]:
    """For squeue, sacct, scancel: nothing of the caller's, so no SQUEUE_FORMAT; times in UTC."""
    return {**_base(conf), "TZ": "UTC", "SLURM_TIME_FORMAT": "standard"}


def job_environment(conf: Path | None) -> dict[str, str]:
    """For sbatch, which hands it on to the job: nothing secret, nothing of the caller's.

    The programs of this installation come first, so that an environment without an image finds
    ``jupyterhub-singleuser`` of the same site.
    """
    env = _base(conf)
    return {**env, "PATH": f"{Path(sys.prefix) / 'bin'}:{env['PATH']}"}
