"""``nearfield doctor`` on the real cluster, asked by the hub's unprivileged account."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HUB = "jhub"


@dataclass
class Doctor:
    """The site's own command, and its configuration."""

    cluster: Any
    yaml: Path

    def ask(self, user: str, *, code: int, as_user: str = HUB) -> dict[str, list[dict[str, str]]]:
        """Findings by check."""
        program = f"{self.cluster.site_venv}/bin/nearfield"
        argv = [program, "--config", str(self.yaml), "doctor", "--user", user, "--json"]
        done = self.cluster.run_as(as_user, argv, timeout=120)
        assert done.returncode == code, done.stdout + done.stderr
        found: dict[str, list[dict[str, str]]] = {}
        for finding in json.loads(done.stdout)["findings"]:
            found.setdefault(finding["check"], []).append(finding)
        return found


def problems(found: dict[str, list[dict[str, str]]]) -> list[str]:
    return [f["message"] for group in found.values() for f in group if f["verdict"] == "problem"]


@pytest.fixture(scope="module")
def doctor(cluster: Any) -> Iterator[Doctor]:
    """The launcher reads one place only: what is there is put back afterwards."""
    path = cluster.site_venv / "etc/nearfield/nearfield.yaml"
    before = path.read_text() if path.exists() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    shut = cluster.dir / "site/images/shut.sif"
    shut.write_text("x")
    shut.chmod(0o600)
    image = {"image": str(cluster.image), "apptainer": str(cluster.apptainer)}
    launcher = f"{cluster.site_venv}/bin/nearfield-launch"
    site = {
        "storages": {"a": {"prefix": str(cluster.data("a"))}},
        "clusters": {"lab": {"submitter": "sudo", "launcher": launcher}},
        "environments": {"image": image},
        "hardware": {"small": {"cluster": "lab"}},
        "profiles": {"small": {"environment": "image", "hardware": "small"}},
        "launcher": {"group": "slurmlab"},
    }
    path.write_text(json.dumps(site))
    path.chmod(0o644)
    try:
        yield Doctor(cluster, path)
    finally:
        shut.unlink()
        if before is None:
            path.unlink()
        else:
            path.write_text(before)


@pytest.fixture
def no_past(doctor: Doctor) -> None:
    """alice has had no sessions: how those of other tests ended is not what is asked here."""
    sessions = doctor.cluster.home("alice") / ".local/share/nearfield/sessions"
    if sessions.exists():
        shutil.rmtree(sessions)


@pytest.mark.usefixtures("no_past")
def test_a_healthy_user(doctor: Doctor) -> None:
    found = doctor.ask("alice", code=0)
    assert not problems(found)
    assert [f["verdict"] for f in found["sudo"]] == ["ok", "ok"]
    assert [f["verdict"] for f in found["slurm"]] == ["ok", "ok", "ok"]
    assert "may submit for physics" in found["association"][0]["message"]
    assert {f["verdict"] for f in found["home"]} == {"ok"}
    assert {f["verdict"] for f in found["launcher"]} == {"ok"}
    assert found["images"][0]["verdict"] == "ok"
    assert "not on this host" in found["storages"][0]["message"]


@pytest.mark.usefixtures("no_past")
def test_the_user_asks_for_herself(doctor: Doctor) -> None:
    found = doctor.ask("alice", code=0, as_user="alice")
    assert {f["verdict"] for f in found["home"]} == {"ok"}
    assert {f["verdict"] for f in found["apptainer"]} == {"ok"}


def test_a_user_outside_the_group(doctor: Doctor) -> None:
    found = doctor.ask("nobody", code=1)
    assert any("not in the group slurmlab" in f["message"] for f in found["account"])
    assert [f["verdict"] for f in found["sudo"]] == ["problem", "problem"]
    assert found["home"][0]["verdict"] == "not checked"


def test_a_full_home(doctor: Doctor) -> None:
    home = doctor.cluster.home("alice")
    owner = home.stat()
    options = f"size=256k,mode=700,uid={owner.st_uid},gid={owner.st_gid}"
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", options, "tmpfs", home], check=True)
    try:
        filler = home / "filler"
        with pytest.raises(OSError, match="No space left"):
            filler.write_bytes(b"x" * 512 * 1024)
        found = doctor.ask("alice", code=1)
    finally:
        subprocess.run(["/bin/umount", home], check=True)
    assert found["home"][0]["verdict"] == "problem"
    assert "No space left on device" in found["home"][0]["message"]


def test_munge_stopped(doctor: Doctor) -> None:
    doctor.cluster.stop_daemon("munged")
    try:
        found = doctor.ask("alice", code=1)
    finally:
        doctor.cluster.start_daemon("munged")
    words = found["slurm"][-1]
    assert "authentication fails" in words["message"]
    assert "munged" in words["hint"]
    # What does not need Slurm is answered all the same.
    assert {f["verdict"] for f in found["home"]} == {"ok"}


def test_an_image_that_users_may_not_read(doctor: Doctor) -> None:
    good = doctor.yaml.read_text()
    site = json.loads(good)
    shut = str(doctor.cluster.dir / "site/images/shut.sif")
    site["environments"]["image"]["image"] = shut
    doctor.yaml.write_text(json.dumps(site))
    try:
        found = doctor.ask("alice", code=1)
    finally:
        doctor.yaml.write_text(good)
    (image,) = found["images"]
    assert image["verdict"] == "problem"
    assert f"{shut} is -rw------- root:root" in image["message"]
