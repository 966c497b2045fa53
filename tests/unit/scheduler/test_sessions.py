"""From a catalogue's record, which anybody may have written, to links."""

from __future__ import annotations

import pytest

from nearfield.config import Config
from nearfield.datasets import DatasetFiles
from nearfield.errors import UsageError
from nearfield.scheduler.jobspec import DatasetLink
from nearfield.scheduler.sessions import link_of, mounts_of

CONFIG = Config()
PROFILE = CONFIG.profiles["default"]


def link(*paths: str) -> DatasetLink:
    # Unchecked: as if the catalogue had let everything through.
    files = DatasetFiles.model_construct(pid="p/1", slug="x-12345678", paths=paths)
    return link_of(CONFIG, PROFILE, files)


def test_files_elsewhere_are_left_out_and_none_comes_twice() -> None:
    made = link("/d/root.h5", "/other/x.h5", "/d/sub/b.h5", "/d/root.h5", "/d/sub/b.h5")
    assert (made.folder, made.files) == ("/d", ("/d/root.h5", "/d/sub/b.h5"))


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (("/d/root.h5", "/d/evil", "/d/evil/.bash_profile"), "lies below '/d/evil'"),
        (("/d/root.h5", "/d/evil/a/.bash_profile", "/d/evil"), "lies below '/d/evil'"),
        (("/d/root.h5", "/d/root.h5/x"), "lies below '/d/root.h5'"),
        (("/d/root.h5", "/d"), "'/d' is not in '/d'"),
        (("/d/root.h5", "/d/../etc/passwd"), r"'/d/\.\./etc/passwd' has"),
        (("/d/../root.h5",), r"'/d/\.\./root.h5' has|'/d/\.\.' has"),
        (("/d/root.h5", "/d/./x"), r"'/d/\./x' has"),
        (("root.h5",), "'.' is not absolute|'root.h5' is not absolute"),
        (("",), "not absolute"),
        (("//d/root.h5",), "not absolute"),
        (("/d/" + "x" * 5000,), "/d/xxx.* is longer than 4096"),
        (("/d/root.h5", "/d/" + "x" * 5000), "/d/xxx.* is longer than 4096"),
        (("/d/a\0b",), "holds a NUL"),
    ],
)
def test_a_bad_record_is_told(paths: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=f"dataset p/1 cannot be opened: .*({words})") as caught:
        link(*paths)
    assert len(caught.value.message) < 1000


def test_a_storage_inside_another_is_bound_on_top_of_it() -> None:
    storages = {
        "results": {"prefix": "/data/raw/results", "read_only": False},
        "all": {"prefix": "/data"},
        "raw": {"prefix": "/data/raw"},
    }
    config = Config.model_validate({"storages": storages})
    mounts = mounts_of(config, config.profiles["default"], "local")
    assert [(mount.target, mount.read_only) for mount in mounts] == [
        ("/data", True),
        ("/data/raw", True),
        ("/data/raw/results", False),
    ]
