"""The test cluster, and a JupyterHub of either kind on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from hublab.cluster import TOOLS, Cluster
from hublab.process import HubProcess
from hublab.site import SETTINGS, site_config

REPO = Path(__file__).resolve().parents[2]
PEOPLE = ("alice", "bob", "carol")
SUDOERS = Path("/etc/sudoers.d/nearfield-bench")

OURS = SETTINGS.replace("c.NearfieldSpawner.poll_interval = 2\n", "")


def blocked(why: str) -> NoReturn:
    print(f"not measured: {why}", file=sys.stderr)
    sys.exit(3)


@contextlib.contextmanager
def test_cluster() -> Iterator[Cluster]:
    """The cluster, brought up if it is not. One benchmark at a time."""
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        blocked("the test cluster needs root on Debian")
    with Path("/run/lock/nearfield-bench").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tool = str(TOOLS / "cluster")
        was_up = subprocess.run([tool, "status"], capture_output=True, check=False).returncode == 0
        if not was_up:
            done = subprocess.run([tool, "up"], stdout=sys.stderr, check=False)
            if done.returncode:
                blocked(f"the cluster did not come up (exit code {done.returncode})")
        try:
            subprocess.run([str(TOOLS / "site-runtime"), str(REPO)], stdout=sys.stderr, check=True)
            cluster = Cluster(
                Path(os.environ.get("SLURMLAB_DIR", "/var/lib/slurmlab")),
                Path(os.environ.get("APPTAINER_PREFIX", "/opt/apptainer")) / "bin/apptainer",
            )
            cluster.cancel_all()
            yield cluster
            cluster.cancel_all()
        finally:
            if not was_up:
                subprocess.run([tool, "down"], stdout=sys.stderr, check=False)


@contextlib.contextmanager
def running(hub: HubProcess) -> Iterator[HubProcess]:
    hub.hand_over()
    hub.start_proxy()
    try:
        hub.start()
        for user in PEOPLE:
            hub.api("POST", f"users/{user}")
        yield hub
    finally:
        hub.stop()


@contextlib.contextmanager
def nearfield(cluster: Cluster, **changes: Any) -> Iterator[HubProcess]:
    """Our hub with the intervals that are the default."""
    hub = HubProcess(cluster=cluster, folder=cluster.dir / "hub-bench")
    config = site_config(cluster, hub.folder, hub.url)
    for interval in ("poll_seconds", "idle_poll_seconds"):
        config["clusters"]["lab"].pop(interval, None)
    for name, program in (("venv", "nearfield-singleuser"), ("plain", "jupyterhub-singleuser")):
        config["environments"][name] = {"command": [f"{cluster.hub_venv}/bin/{program}"]}
        config["profiles"][name] = {"environment": name, "hardware": "small"}
    config |= changes
    hub.prepare(config, OURS)
    with running(hub):
        yield hub


@contextlib.contextmanager
def plain_batchspawner(
    cluster: Cluster, *, singleuser: str | None = None, memory: int = 800
) -> Iterator[HubProcess]:
    """A hub with batchspawner; ``singleuser`` replaces its command that finds and tells a port."""
    hub = HubProcess(
        cluster=cluster,
        folder=cluster.dir / "hub-bench-batchspawner",
        up=("/hub/api/",),
        settings_file=Path(__file__).with_name("batchspawner_config.py"),
    )
    bin_dir = cluster.hub_venv / "bin"
    starter = singleuser or f"{bin_dir}/batchspawner-singleuser"
    hub.prepare(
        {},
        f'c.SlurmSpawner.req_memory = "{memory}M"\n'
        f'c.SlurmSpawner.batchspawner_singleuser_cmd = "{starter}"\n'
        f'c.Spawner.cmd = ["{bin_dir}/jupyterhub-singleuser"]\n',
    )
    # What batchspawner's documentation asks for: three commands, with the hub's environment.
    commands = ", ".join(f"/usr/bin/{name}" for name in ("sbatch", "squeue", "scancel"))
    SUDOERS.write_text(f"jhub ALL=(%slurmlab) NOPASSWD:SETENV: {commands}\n")
    SUDOERS.chmod(0o440)
    try:
        with running(hub):
            yield hub
    finally:
        SUDOERS.unlink(missing_ok=True)
