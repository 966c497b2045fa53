"""A file that is replaced, written to, cut or deleted while a reduction of many tasks runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import nearfield
from nearfield.errors import DataFileError
from nearfield.reductions import plan, reading
from nearfield.reductions.collecting import UnreadableFramesWarning

DATA = np.random.default_rng(0).integers(0, 100, (40, 8, 9)).astype("u2")


def written(path: Path, data: np.ndarray, compression: str) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=data, chunks=(1, 8, 9), compression=compression)
    return path


def _replace(path: Path) -> None:
    written(path.with_name("new.h5"), DATA + 1, "gzip").rename(path)


def _write(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(3000)
        file.write(bytes(100))


def _cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(4000)


CHANGES: dict[str, Callable[[Path], None]] = {
    "replaced": _replace, "written to": _write, "cut": _cut, "deleted": Path.unlink,
}  # fmt: skip


@pytest.fixture(params=["gzip", "lzf"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Read by its chunks, and by h5py."""
    monkeypatch.setattr(plan, "TASK", 2 * DATA[0].nbytes)
    monkeypatch.setattr(reading, "BLOCK", DATA[0].nbytes)
    return written(tmp_path / "a.h5", DATA, request.param)


@pytest.mark.parametrize("how", CHANGES)
def test_it_is_an_error_with_file_and_frame(path: Path, how: str) -> None:
    found = nearfield.reduce(path, sum=True, roi=(), workers=2)

    def told(done: int, total: int) -> None:
        if done == 20:
            CHANGES[how](path)

    with pytest.raises(DataFileError, match=r"a\.h5': frames? (2\d|3\d)"):
        found.nearfield.compute(progress=told)


@pytest.mark.parametrize("how", CHANGES)
def test_the_frames_before_it_are_right(path: Path, how: str) -> None:
    found = nearfield.reduce(path, sum=True, roi=(), workers=2, errors="collect")

    def told(done: int, total: int) -> None:
        if done == 20:
            CHANGES[how](path)

    with pytest.warns(UnreadableFramesWarning):
        made = found.nearfield.compute(progress=told)
    read = ~made["unreadable"].values
    # Tasks that were under way when it happened may have read it, or not.
    assert read[:20].all()
    assert not read[26:].any()
    np.testing.assert_array_equal(made["roi"][read], DATA[read].sum((1, 2)))
    np.testing.assert_array_equal(made["sum"], DATA[read].sum(0))
    assert "a.h5" in json.loads(made.attrs["unreadable_frames"])[0]
