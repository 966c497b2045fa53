"""Commands of Slurm that are scripts, and a keyring that counts as root's."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from nearfield.scheduler.node import signature
from standins.commands import Commands, commands_in
from standins.sif import KEY


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """A folder of commands; each is the body of a shell script."""
    return commands_in(tmp_path / "bin")


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Root's, as far as the test can make it so."""
    monkeypatch.setattr(signature, "TRUSTED_UID", os.getuid())
    real = os.lstat

    def as_root(path: str) -> os.stat_result:
        found = list(real(path))
        if not str(path).startswith(str(tmp_path)):
            found[4], found[0] = os.getuid(), stat.S_IFDIR | 0o755
        return os.stat_result(found)

    monkeypatch.setattr(signature.os, "lstat", as_root)
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o755)
    (folder / "site.asc").write_text(KEY)
    return folder
