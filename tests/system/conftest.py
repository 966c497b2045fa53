"""The real test cluster, as a fixture (see docs/how-to/test-cluster.md).

``cluster`` brings it up when it is not, and takes it down at the end only if it brought it up.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from hublab.cluster import OTHER_HUB, REFUSED, TOOLS, Cluster

REPO = Path(__file__).resolve().parents[2]


def cannot_run(reason: str) -> NoReturn:
    """Say why, and skip; in CI fail, so that nobody mistakes a skip for a pass."""
    if os.environ.get("CI"):
        pytest.fail(f"system test cannot run: {reason}", pytrace=False)
    pytest.skip(reason)


def _prepare(*argv: str, timeout: float) -> None:
    # Output to a file, not a pipe: a daemon that kept the pipe open would make us wait for it.
    with tempfile.TemporaryFile("w+") as out:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=timeout, check=False
        )
        out.seek(0)
        said = out.read().strip()
    if done.returncode == REFUSED:
        cannot_run(said.splitlines()[-1])
    if done.returncode:
        pytest.fail(f"{' '.join(argv)} failed:\n{said[-4000:]}", pytrace=False)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The real test cluster with the site's software on it."""
    if os.geteuid() != 0:
        cannot_run("the test cluster needs root")
    if not Path("/etc/debian_version").exists():
        cannot_run("the test cluster needs Debian")
    tool = str(TOOLS / "cluster")
    was_up = subprocess.run([tool, "status"], capture_output=True, check=False).returncode == 0
    if not was_up:
        _prepare(tool, "up", timeout=600)
    try:
        _prepare(str(TOOLS / "site-runtime"), str(REPO), timeout=900)
        if OTHER_HUB:
            _prepare(str(TOOLS / "site-runtime"), str(REPO), OTHER_HUB, timeout=900)
        site = Path(os.environ.get("SLURMLAB_DIR", "/var/lib/slurmlab"))
        prefix = Path(os.environ.get("APPTAINER_PREFIX", "/opt/apptainer"))
        yield Cluster(site, prefix / "bin" / "apptainer")
    finally:
        if not was_up:
            subprocess.run([tool, "down"], timeout=120, capture_output=True, check=False)


@pytest.fixture
def idle(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster without anybody's jobs, before and after."""
    cluster.cancel_all()
    yield cluster
    cluster.cancel_all()
