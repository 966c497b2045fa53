"""The programs that read hub_config's files find nothing wrong with them.

``cluster`` is asked for because it installs sudo and systemd's tools.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

HUB_CONFIG = Path(__file__).resolve().parents[2] / "hub_config"
UNITS = sorted((HUB_CONFIG / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_wrong_with_the_units(
    cluster: Any, unit: Path, tmp_path: Path
) -> None:
    # Programs that an installation would have; verify looks whether they can be run.
    text = unit.read_text().replace("/opt/nearfield/bin/", f"{tmp_path}/")
    for name in ("jupyterhub", "node"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    copy = tmp_path / unit.name
    copy.write_text(text)
    done = subprocess.run(
        ["/usr/bin/systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_sudo_finds_nothing_wrong_with_its_file(cluster: Any) -> None:
    # -c with a file that is not root's complains of owner and mode, which install(1) sets: stdin.
    text = (HUB_CONFIG / "sudoers").read_text()
    done = subprocess.run(
        ["/usr/sbin/visudo", "-cf", "-"], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
