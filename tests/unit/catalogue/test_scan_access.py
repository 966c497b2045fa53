"""Who may see what a scan registers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from nearfield.catalogue import AccessRule, CatalogueStore, scan
from nearfield.config import Config
from nearfield.datasets import Dataset
from nearfield.testing.synthetic import make_linked, make_master


def test_from_the_file_system(open_folder: Path, store: CatalogueStore) -> None:
    data = open_folder / "d"
    data.mkdir()
    make_linked(data / "a.h5")
    open_folder.chmod(0o755)
    me, group = _me()

    def access(file: int, above: int) -> tuple[str | None, str | None, bool]:
        (data / "a.h5").chmod(file)
        data.chmod(above)
        scan(store, data, Config())
        with store.reading() as connection:
            (text,) = connection.execute("SELECT document FROM record").fetchone()
        found = Dataset.model_validate_json(text).access
        return found.owner, found.owner_group, found.public

    assert access(0o644, 0o755) == (me, group, True)
    assert access(0o640, 0o755) == (me, group, False)
    assert access(0o600, 0o755) == (me, None, False)
    # Nobody gets through a closed folder, whatever the file says.
    assert access(0o644, 0o700) == (me, None, False)
    assert access(0o644, 0o750) == (me, group, False)


def test_a_private_part_makes_all_private(open_folder: Path, store: CatalogueStore) -> None:
    open_folder.chmod(0o755)
    make_master(open_folder / "s_master.h5").chmod(0o644)
    for number in (1, 2):
        (open_folder / f"s_data_{number:06d}.h5").chmod(0o644)
    scan(store, open_folder, Config())
    assert _only(store).access.public
    (open_folder / "s_data_000002.h5").chmod(0o600)
    scan(store, open_folder, Config())
    assert not _only(store).access.public
    assert _only(store).access.owner_group is None


def test_folders_count_up_to_the_storage(open_folder: Path, store: CatalogueStore) -> None:
    inner = open_folder / "mounted"
    inner.mkdir(mode=0o755)
    make_linked(inner / "a.h5").chmod(0o644)
    open_folder.chmod(0o700)
    scan(store, inner, Config())
    assert not _only(store).access.public
    config = Config.model_validate({"storages": {"raw": {"prefix": str(inner)}}})
    scan(store, inner, config)
    with store.reading() as connection:
        rows = connection.execute("SELECT public FROM dataset").fetchall()
    assert (1,) in rows


def test_what_the_operator_says(folder: Path, store: CatalogueStore) -> None:
    make_linked(folder / "a.h5")
    scan(store, folder, Config(), rule=AccessRule(owner="ada", group="p08", public=True))
    access = _only(store).access
    assert (access.owner, access.owner_group, access.public) == ("ada", "p08", True)
    assert scan(store, folder, Config()).updated == 1
    assert not _only(store).access.public


def test_an_acl_mask_is_not_the_groups_right(open_folder: Path, store: CatalogueStore) -> None:
    import struct

    open_folder.chmod(0o755)
    path = make_linked(open_folder / "a.h5")
    entries = [
        (0x01, 6, -1),  # owner
        (0x02, 4, 1),  # user daemon may read
        (0x04, 0, -1),  # the owning group may not
        (0x10, 4, -1),  # mask: shows as r-- for the group
        (0x20, 0, -1),
    ]
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    try:
        os.setxattr(path, "system.posix_acl_access", acl)
    except OSError as error:
        pytest.skip(f"no ACLs here: {error}")
    assert path.stat().st_mode & 0o040
    scan(store, open_folder, Config())
    assert _only(store).access.owner_group is None


def _me() -> tuple[str, str]:
    import grp
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name


def _only(store: CatalogueStore) -> Dataset:
    with store.reading() as connection:
        rows: list[Any] = connection.execute("SELECT document FROM record").fetchall()
    ((text,),) = rows
    return Dataset.model_validate_json(text)
