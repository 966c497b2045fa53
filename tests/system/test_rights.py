"""Rights as the kernel sees them: modes, POSIX ACLs, folders on the way, accounts that are nobody.

Each answer is held against the truth: what happens when that account opens the file.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.system

# As the user: the hub's question, the node's question, and the deed itself.
ASK = """
import json, sys
from nearfield.scheduler.node.readable import first_unreadable
from nearfield.scheduler.rights import access
paths = json.load(sys.stdin)
def opens(path):
    try:
        open(path, "rb").close()
    except OSError as error:
        return type(error).__name__
    return "opens"
answers = access(paths)
print(json.dumps({p: [answers[p], first_unreadable([p]) is None, opens(p)] for p in paths}))
"""


@pytest.fixture(scope="module")
def top(cluster: Any) -> Iterator[Path]:
    folder = Path(cluster.storage("a")) / "rights"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def ask(cluster: Any) -> Callable[[str, Path], list[Any]]:
    def asked(user: str, path: Path) -> list[Any]:
        python = str(cluster.site_venv / "bin/python")
        who = pwd.getpwnam(user)
        done = subprocess.run(
            [python, "-I", "-c", ASK],
            input=json.dumps([str(path)]),
            user=who.pw_uid,
            group=who.pw_gid,
            extra_groups=os.getgrouplist(user, who.pw_gid),
            cwd="/",  # nobody has no home
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        [answer] = json.loads(done.stdout).values()
        return list(answer)

    return asked


def make(
    top: Path,
    name: str,
    *,
    folder: int = 0o755,
    file: int = 0o600,
    acl: tuple[str, ...] = (),
    on: str = "file",
) -> Path:
    """A file of bob's in a folder of bob's, and ACL entries on one of them."""
    here = top / name
    here.mkdir()
    path = here / "x.h5"
    path.write_bytes(b"data")
    for one, mode in ((path, file), (here, folder)):
        shutil.chown(one, "bob", "slurmlab")
        one.chmod(mode)
    for entry in acl:
        target = path if on == "file" else here
        subprocess.run(["/usr/bin/setfacl", "-n", "-m", entry, str(target)], check=True)
    return path


YES, NO = ["yes", True, "opens"], ["no", False, "PermissionError"]
CASES: dict[str, tuple[dict[str, Any], dict[str, list[Any]]]] = {
    "mode": ({}, {"bob": YES, "alice": NO}),
    "world": ({"file": 0o604}, {"carol": NO, "bob": YES}),  # carol is of the group that may not
    "named user": (
        {"acl": ("m::r", "u:alice:r")},
        {"alice": YES, "bob": YES, "carol": NO},
    ),
    "masked user": ({"acl": ("u:alice:r", "m::-")}, {"alice": NO, "bob": YES}),
    "denied user": (
        {"file": 0o644, "acl": ("u:alice:-",)},
        {"alice": NO, "carol": YES},
    ),
    "denied group": ({"file": 0o644, "acl": ("g::-",)}, {"alice": NO, "bob": YES}),
    "named group": ({"file": 0o600, "acl": ("m::r", "g:slurmlab:r")}, {"alice": YES}),
    "folder acl": (
        {"folder": 0o700, "file": 0o644, "acl": ("m::rx", "u:alice:rx"), "on": "folder"},
        {"alice": YES, "bob": YES, "carol": NO},
    ),
    "folder acl, passing alone": (
        {"folder": 0o700, "file": 0o644, "acl": ("m::x", "u:alice:x"), "on": "folder"},
        {"alice": YES, "carol": NO},
    ),
    "folder acl under a mask without x": (
        {"folder": 0o700, "file": 0o644, "acl": ("u:alice:rwx", "m::r"), "on": "folder"},
        {"alice": NO, "bob": YES},
    ),
    "folder without x": ({"folder": 0o744, "file": 0o644}, {"alice": NO, "bob": YES}),
    "folder without r": ({"folder": 0o711, "file": 0o644}, {"alice": YES, "bob": YES}),
    # What root is on a mount that squashes it: its own name opens nothing.
    "nobody": ({"folder": 0o700}, {"nobody": NO, "bob": YES}),
    "nobody, public": ({"file": 0o644}, {"nobody": YES}),
}


@pytest.mark.parametrize("name", CASES)
def test_yes_and_no_are_right(top: Path, ask: Any, name: str) -> None:
    made, wanted = CASES[name]
    path = make(top, name, **made)
    assert {user: ask(user, path) for user in wanted} == wanted


def test_what_is_not_there_cannot_be_told_and_below_a_closed_folder_it_can(
    top: Path, ask: Any
) -> None:
    path = make(top, "gone", file=0o644)
    path.unlink()
    assert ask("alice", path) == ["unknown", False, "FileNotFoundError"]
    path.parent.chmod(0o700)
    assert ask("alice", path) == NO
