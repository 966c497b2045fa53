"""The test cluster as a test sees it (see docs/how-to/test-cluster.md)."""

from __future__ import annotations

import os
import pwd
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / "system/cluster"
OTHER_HUB = os.environ.get("NEARFIELD_TEST_JUPYTERHUB", "")  # a version, for `make soak-hub5`
REFUSED = 3  # exit code of cluster, site-runtime and install-apptainer: this host is not for us
OVER = frozenset(
    {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY"}
    | {"PREEMPTED", "TIMEOUT"}
)
"""States of jobs that ended."""

# what a job may end as; a job in none of these is still going on
ENDED = (
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED"),
    *("NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT"),
)


@dataclass(frozen=True)
class Cluster:
    """The site as a test sees it. The head node is this host; the tests run there as root."""

    dir: Path
    apptainer: Path
    nodes: tuple[str, ...] = ("na1", "na2", "nb1", "gpu1", "small1", "nc1")

    @property
    def site_venv(self) -> Path:
        return self.dir / "site" / "venv"

    @property
    def hub_venv(self) -> Path:
        """Where hub and servers run from: the site's, or one with another JupyterHub."""
        return self.dir / "site" / (f"venv-{OTHER_HUB}" if OTHER_HUB else "venv")

    @property
    def image(self) -> Path:
        return self.dir / "site" / "images" / "hostbind.sif"

    @property
    def head_address(self) -> str:
        """Where nodes reach the head node; the nodes reach nothing else."""
        return "10.99.0.1"

    @property
    def real_oom(self) -> bool:
        """Whether the kernel's memory controller is in use: jobs can end as OUT_OF_MEMORY."""
        return "task/cgroup" in self.slurm_conf("lab").read_text()

    def slurm_conf(self, cluster: str) -> Path:
        return self.dir / "etc" / cluster / "slurm.conf"

    def home(self, user: str) -> Path:
        return self.dir / "home" / user

    def storage(self, letter: str) -> Path:
        """Storage a, b or c as this host sees it (where a test puts files)."""
        return self.dir / "storage" / f"storage-{letter}"

    def data(self, letter: str) -> Path:
        """The same storage as its nodes see it; the path exists nowhere else, not on the head."""
        return self.dir / "data" / f"storage-{letter}"

    @property
    def tool(self) -> Path:
        """The program behind most of this, for a process that outlives one call."""
        return TOOLS / "cluster"

    def run_as(
        self,
        user: str,
        argv: Sequence[str],
        input: str | None = None,  # noqa: A002  # as in subprocess.run
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run argv on the head node as user: no shell, a clean environment, in the user's home."""
        who = pwd.getpwnam(user)
        clean = {"HOME": who.pw_dir, "USER": user, "LOGNAME": user, "SHELL": who.pw_shell}
        clean |= {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        switch = [
            "setpriv",
            f"--reuid={who.pw_uid}",
            f"--regid={who.pw_gid}",
            "--init-groups",
            "--",
        ]
        return subprocess.run(
            [*switch, *argv],
            input=input,
            env=clean | dict(env or {}),
            cwd=who.pw_dir,
            timeout=timeout,
            capture_output=True,
            text=True,
            check=False,
        )

    def sbatch(self, user: str, *options: str, script: str) -> str:
        """Submit a script as user and return the job id. Its output goes to the user's home."""
        done = self.run_as(
            user, ["sbatch", "--parsable", "--no-requeue", *options], input=f"#!/bin/sh\n{script}\n"
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().split(";")[0]

    def output(self, user: str, jobid: str) -> str:
        return (self.home(user) / f"slurm-{jobid}.out").read_text()

    def squeue(self, user: str | None = None, cluster: str = "lab") -> dict[str, str]:
        """Job id -> state of what squeue lists, as root sees it; array tasks one by one."""
        argv = [
            "squeue",
            "-h",
            "-r",
            "-a",
            "-t",
            "all",
            "-o",
            "%i|%T",
            *(["-u", user] if user else []),
        ]
        lines = self._slurm(argv, cluster).splitlines()
        return dict(line.split("|") for line in lines)

    def alive(self, user: str, cluster: str = "lab") -> set[str]:
        """The account's jobs that are not over; squeue lists those that ended lately too."""
        return {job for job, state in self.squeue(user, cluster).items() if state not in OVER}

    def job_state(self, jobid: str, cluster: str = "lab") -> str:
        """The state in sacct, else in squeue, else ``""``."""
        out = self._slurm(["sacct", "-nXPa", "-j", jobid, "-o", "state"], cluster).split()
        return out[0] if out else self.squeue(cluster=cluster).get(jobid, "")

    def wait_job(
        self, jobid: str, states: Iterable[str] = ENDED, timeout: float = 90, cluster: str = "lab"
    ) -> str:
        """Wait for one of states and return it; fail at once if the job ended as something else."""
        wanted, end = set(states), time.monotonic() + timeout
        while (
            state := self.squeue(cluster=cluster).get(jobid) or self.job_state(jobid, cluster)
        ) not in wanted:
            assert state not in ENDED, f"job {jobid} ended as {state}, wanted {sorted(wanted)}"
            assert time.monotonic() < end, (
                f"job {jobid} is {state!r} after {timeout} s, wanted {sorted(wanted)}"
            )
            time.sleep(0.1)
        return state

    def cancel_all(self) -> None:
        """End every job of every user and wait until they are gone."""
        for name in ("lab", "lab2"):
            for user in ("alice", "bob", "carol"):
                self._slurm(["scancel", "-u", user], name)
            end = time.monotonic() + 20
            while self._slurm(["squeue", "-h", "-a"], name) and time.monotonic() < end:
                time.sleep(0.1)

    def kill_node(self, node: str) -> None:
        """A power cut: every process on the node dies at once, its network vanishes."""
        self._tool("kill", node)

    def boot_node(self, node: str) -> None:
        self._tool("boot", node)

    def stop_daemon(self, daemon: str) -> None:
        """An outage of munged, mariadbd, slurmdbd, slurmctld, slurmctld2 or slurmrestd."""
        self._tool("stop", daemon)

    def start_daemon(self, daemon: str) -> None:
        self._tool("start", daemon)
        self._wait_for_nodes()

    def freeze_daemon(self, daemon: str) -> None:
        """It is there and does not answer."""
        self._tool("freeze", daemon)

    def thaw_daemon(self, daemon: str) -> None:
        self._tool("thaw", daemon)

    def set_patience(self, seconds: int = 15) -> None:
        """How long lab's nodes may be silent before Slurm ends their jobs; 15 s unless told."""
        self._tool("patience", str(seconds))

    def exec_on(
        self, node: str, argv: Sequence[str], timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run argv as root inside the node's namespaces."""
        tool = [str(TOOLS / "cluster"), "exec", node, *argv]
        return subprocess.run(tool, timeout=timeout, capture_output=True, text=True, check=False)

    def _wait_for_nodes(self, seconds: float = 25) -> None:
        """Nodes that could not authenticate for a while are taken back one by one."""
        usable = {"idle", "mixed", "allocated", "completing"}
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            states = set(self._slurm(["sinfo", "-hN", "-o", "%T"], "lab").split())
            if states and states <= usable:
                return
            time.sleep(0.2)

    def _slurm(self, argv: Sequence[str], cluster: str) -> str:
        env = os.environ | {"SLURM_CONF": str(self.slurm_conf(cluster))}
        return subprocess.run(
            argv, env=env, timeout=60, capture_output=True, text=True, check=False
        ).stdout

    def _tool(self, *argv: str) -> None:
        done = subprocess.run(
            [str(TOOLS / "cluster"), *argv],
            timeout=120,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
