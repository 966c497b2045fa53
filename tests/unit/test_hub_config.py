"""The files of hub_config are in order, as far as the tools that read them are here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HUB_CONFIG = Path(__file__).resolve().parents[2] / "hub_config"
UNITS = sorted((HUB_CONFIG / "systemd").glob("*.service"))
# Each implies NoNewPrivileges for a unit with User=, and sudo would not work.
NO_SUDO = (
    *("NoNewPrivileges", "PrivateDevices", "ProtectKernel", "ProtectClock", "ProtectHostname"),
    *("RestrictAddressFamilies", "RestrictNamespaces", "RestrictSUIDSGID", "RestrictRealtime"),
    *("SystemCall", "LockPersonality", "MemoryDenyWriteExecute", "DynamicUser", "ProtectHome"),
)


def settings(unit: Path) -> list[str]:
    lines = unit.read_text().splitlines()
    return [line for line in lines if "=" in line and not line.startswith(("#", " "))]


def test_the_hubs_unit_leaves_sudo_working() -> None:
    found = settings(HUB_CONFIG / "systemd/nearfield-hub.service")
    assert "User=jupyterhub" in found
    assert not [line for line in found if line.startswith(NO_SUDO)]
    # The launcher writes to homes, and inherits what the unit may write.
    assert "ProtectSystem=strict" not in found


def test_no_secret_is_in_a_unit() -> None:
    for unit in (*UNITS, HUB_CONFIG / "hub.env"):
        assert not [line for line in settings(unit) if "TOKEN=" in line or "SECRET=" in line]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_wrong_with_the_units(unit: Path, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not on this host")
    # Programs that an installation would have; verify looks whether they can be run.
    text = unit.read_text().replace("/opt/nearfield/bin/", f"{tmp_path}/")
    for name in ("jupyterhub", "node"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    copy = tmp_path / unit.name
    copy.write_text(text)
    done = subprocess.run(
        [program, "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_sudo_finds_nothing_wrong_with_its_file() -> None:
    program = shutil.which("visudo", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("visudo is not on this host")
    # -c with a file that is not root's complains of owner and mode, which install(1) sets: stdin.
    text = (HUB_CONFIG / "sudoers").read_text()
    done = subprocess.run(
        [program, "-cf", "-"], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
