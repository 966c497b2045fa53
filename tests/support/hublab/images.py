"""Signed, unsigned and spoilt images of the tests' site, and its keyring."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nearfield.scheduler.node.sif import SETTLED_SECONDS


@dataclass(frozen=True)
class Images:
    """Where the images are, and who signed them."""

    folder: Path
    keyring: Path
    fingerprint: str

    def __getitem__(self, name: str) -> Path:
        return self.folder / f"{name}.sif"


def make_images(cluster: Any) -> Images:
    """``signed``, ``unsigned``, ``tampered``, and ``stranger``: signed with an unknown key."""
    top = Path(cluster.dir) / "site/signing"
    shutil.rmtree(top, ignore_errors=True)
    images = Images(top / "images", top / "keyring", _new_key(cluster, top / "site-key"))
    _new_key(cluster, top / "strange-key")
    for folder in (images.folder, images.keyring):
        folder.mkdir(mode=0o755)
    for name, key in (("signed", "site-key"), ("stranger", "strange-key"), ("unsigned", None)):
        shutil.copy(cluster.image, images[name])
        if key is not None:
            _apptainer(cluster, top / key, "sign", str(images[name]))
        images[name].chmod(0o644)
    shutil.copy(images["signed"], images["tampered"])
    _flip(images["tampered"])
    (images.keyring / "site.gpg").write_bytes((top / "site-key/pgp-public").read_bytes())
    (images.keyring / "site.gpg").chmod(0o644)
    top.chmod(0o755)
    # A file that was changed just now is verified each time (scheduler/node/sif.py).
    time.sleep(SETTLED_SECONDS)
    return images


def _new_key(cluster: Any, folder: Path) -> str:
    folder.mkdir(mode=0o700, parents=True)
    options = ["--name", "Site", "--email", "images@example.org", "--comment", "", "--password", ""]
    _apptainer(cluster, folder, "key", "newpair", *options, "--push=false", "--bit-length", "2048")
    listed = _apptainer(cluster, folder, "key", "list")
    [line] = [row for row in listed.splitlines() if "Fingerprint" in row]
    return line.split()[-1].lower()


def _apptainer(cluster: Any, keys: Path, *argv: str) -> str:
    env = os.environ | {"APPTAINER_KEYSDIR": str(keys)}
    done = subprocess.run(
        [str(cluster.apptainer), *argv],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _flip(path: Path) -> None:
    """One bit in the middle of the file system."""
    data = bytearray(path.read_bytes())
    total, table = struct.unpack_from("<qq", data, 88)
    for at in range(table, table + 585 * total, 585):
        if struct.unpack_from("<i?", data, at) == (0x4004, True):
            start, size = struct.unpack_from("<qq", data, at + 17)
            data[start + size // 2] ^= 1
    path.write_bytes(bytes(data))


def make_wheel(folder: Path, name: str, answer: int) -> Path:
    """A package of one module with one name in it."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", f"ANSWER = {answer}\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    path.chmod(0o644)
    return path
