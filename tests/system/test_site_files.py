"""The programs that read hub_config's files find nothing wrong with them.

``cluster`` is asked for because it installs sudo and systemd's tools.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

HUB_CONFIG = Path(__file__).resolve().parents[2] / "hub_config"
SYSTEMD = HUB_CONFIG / "systemd"
UNITS = sorted(SYSTEMD.glob("*.service"))


# The unit that each drop-in belongs to is said in its first line.
DROP_INS = {
    path: re.search(r"/([\w-]+\.service)\.d/", path.read_text()) for path in SYSTEMD.glob("*.conf")
}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_wrong_with_the_units(
    cluster: Any, unit: Path, tmp_path: Path
) -> None:
    assert verified(unit, tmp_path) == ""


@pytest.mark.parametrize("drop_in", DROP_INS, ids=lambda path: path.name)
def test_systemd_finds_nothing_wrong_with_the_drop_ins(
    cluster: Any, drop_in: Path, tmp_path: Path
) -> None:
    named = DROP_INS[drop_in]
    assert named is not None, "its first line must say where it goes"
    unit = SYSTEMD / named[1]
    assert verified(unit, tmp_path, drop_in.read_text()) == ""
    # It is read at all: what it says wrongly is told.
    assert "Nonsense" in verified(unit, tmp_path, "[Service]\nNonsense=yes\n")


def verified(unit: Path, folder: Path, drop_in: str = "") -> str:
    """What systemd says of the unit, with a drop-in, where its programs are in ``folder``."""
    # Programs that an installation would have; verify looks whether they can be run.
    for name in ("jupyterhub", "node", "nearfield"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    here = folder / f"{unit.name}.d"
    here.mkdir(exist_ok=True)
    for path, text in ((folder / unit.name, unit.read_text()), (here / "site.conf", drop_in)):
        path.write_text(text.replace("/opt/nearfield/bin/", f"{folder}/"))
    done = subprocess.run(
        ["/usr/bin/systemd-analyze", "verify", "--man=no", str(folder / unit.name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_sudo_finds_nothing_wrong_with_its_file(cluster: Any) -> None:
    # -c with a file that is not root's complains of owner and mode, which install(1) sets: stdin.
    text = (HUB_CONFIG / "sudoers").read_text()
    done = subprocess.run(
        ["/usr/sbin/visudo", "-cf", "-"], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
