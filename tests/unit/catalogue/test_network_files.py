"""A catalogue on NFS or Lustre is warned of; one on a local disk is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from nearfield.catalogue import network_files
from nearfield.catalogue.network_files import network_kind
from nearfield.cli import run_command

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home rw shared:2 - nfs4 server:/home rw
31 30 0:41 / /home/local\\040disk rw - xfs /dev/sdb rw
32 22 0:42 / /scratch rw - lustre mgs@tcp:/x rw
33 22 0:43 / /far rw - fuse.sshfs host:/ rw
34 22 0:44 / /over rw - ext4 /dev/sdc rw
35 34 0:45 / /over rw - gpfs gpfs0 rw
broken line
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    file = tmp_path / "mountinfo"
    file.write_text(MOUNTS)
    return file


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("/var/lib/c.sqlite", None),
        ("/home/alice/c.sqlite", "nfs4"),
        ("/homes/c.sqlite", None),
        ("/home/local disk/c.sqlite", None),
        ("/scratch/c.sqlite", "lustre"),
        ("/far/c.sqlite", "fuse.sshfs"),
        ("/over/c.sqlite", "gpfs"),
    ],
)
def test_by_the_innermost_mount(mounts: Path, file: str, kind: str | None) -> None:
    assert network_kind(Path(file), mounts) == kind


def test_where_nobody_tells(tmp_path: Path) -> None:
    assert network_kind(Path("/home/c"), tmp_path / "none") is None


def test_the_command_says_so_and_goes_on(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = tmp_path / "mountinfo"
    told.write_text(f"9 1 0:4 / {tmp_path.resolve()} rw - nfs4 server:/x rw\n")
    monkeypatch.setattr(network_files, "MOUNTS", told)
    file = str(tmp_path / "c.sqlite")
    assert run_command(["catalogue", "scan", str(folder), "--catalogue", file]) == 0
    assert f"warning: catalogue {file} is on nfs4\n  SQLite's locks" in capsys.readouterr().err
