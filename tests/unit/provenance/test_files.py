"""Files of a run folder."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from nearfield.provenance.files import hash_file, list_files, media_type, write_atomic, write_new


def test_write_atomic_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    write_atomic(target, b"one")
    write_atomic(target, b"two")
    assert target.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [target]


def test_write_atomic_keeps_the_old_content_when_the_new_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.json"
    write_atomic(target, b"one")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(target, b"two")
    assert target.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [target]


def test_write_new_does_not_overwrite(tmp_path: Path) -> None:
    write_new(tmp_path / "a", b"one")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"one"


def test_hash_is_sha256_of_the_whole_file(tmp_path: Path) -> None:
    data = os.urandom(9 * 1024 * 1024 + 7)
    (tmp_path / "a").write_bytes(data)
    found = hash_file(tmp_path / "a", sync=True)
    assert (found.size, found.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_hash_refuses_links_and_does_not_hang_on_a_fifo(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "link").symlink_to("a")
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo"):
        with pytest.raises(OSError):
            hash_file(tmp_path / name)


def test_listing_follows_no_link_and_skips_the_private_folder_at_the_top_only(
    tmp_path: Path,
) -> None:
    secret = tmp_path / "elsewhere"
    secret.mkdir()
    (secret / "s").write_text("s")
    run = tmp_path / "run"
    (run / ".nearfield").mkdir(parents=True)
    (run / ".nearfield/record.json").write_text("{}")
    (run / "sub/.nearfield").mkdir(parents=True)
    (run / "sub/.nearfield/kept").write_text("k")
    (run / "b").write_text("b")
    (run / ".hidden").write_text("h")
    (run / "folder").symlink_to(secret)
    (run / "file").symlink_to(secret / "s")
    os.mkfifo(run / "fifo")
    found = {entry.path: entry.problem for entry in list_files(run)}
    assert {path for path, problem in found.items() if problem is None} == {
        ".hidden", "b", "sub/.nearfield/kept",
    }  # fmt: skip
    assert "symbolic link" in (found["folder"] or "")
    assert "symbolic link" in (found["file"] or "")
    assert found["fifo"] == "not a regular file"


def test_a_name_that_is_no_text_is_told_not_lost(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff")).write_text("x")
    (found,) = list_files(tmp_path)
    assert found.path == r"bad\udcff"
    assert found.problem == "its name is not valid text"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.H5", "application/x-hdf5"),
        ("a.ipynb", "application/x-ipynb+json"),
        ("a.png", "image/png"),
        ("a", "application/octet-stream"),
    ],
)
def test_media_types(name: str, expected: str) -> None:
    assert media_type(name) == expected
