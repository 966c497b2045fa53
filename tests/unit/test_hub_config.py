"""What the files of hub_config say; tests/system has the tools that read them."""

from __future__ import annotations

from pathlib import Path

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
