"""A virtual dataset's stack is what HDF5 puts together, gaps and missing sources included."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from h5py import h5s

from nearfield.errors import DataFileError
from nearfield.reductions.index import open_stack
from nearfield.reductions.stack import DAMAGED, Stack
from stacklab.assembling import assembled


def source(path: Path, shape: tuple[int, ...], seed: int = 0, **how: Any) -> None:
    data = np.random.default_rng(seed).integers(1, 2**15, shape).astype("u2")
    with h5py.File(path, "w") as file:
        file.create_dataset("d", data=data, **how)


def master(path: Path, layout: h5py.VirtualLayout, fill: int = 9) -> None:
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("v", layout, fillvalue=fill)


def same(path: Path, **how: Any) -> Stack:
    """The stack, once it is shown to be what h5py reads."""
    with h5py.File(path) as file:
        data = file["v"][()]
    stack = open_stack(path, "v", **how)
    assert stack.refused is None, stack.refused
    axes = len(stack.frame_shape)
    np.testing.assert_array_equal(
        assembled(stack), data.reshape(-1, *data.shape[data.ndim - axes :])
    )
    return stack


def test_runs_of_many_files_become_one_part(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((40, 4, 5), "u2")
    for k in range(10):
        source(tmp_path / f"s{k}.h5", (4, 4, 5), k, chunks=(2, 4, 5), compression="gzip")
        layout[4 * k : 4 * k + 4] = h5py.VirtualSource(f"s{k}.h5", "d", (4, 4, 5))
    master(tmp_path / "m.h5", layout)
    stack = same(tmp_path / "m.h5")
    assert len(stack.parts) == 1
    assert stack.parts[0].frames is None
    assert len(stack.files) == 11


def test_runs_that_end_within_a_chunk(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((15, 4, 5), "u2")
    for k in range(3):
        source(tmp_path / f"s{k}.h5", (5, 4, 5), k, chunks=(2, 4, 5))
        layout[5 * k : 5 * k + 5] = h5py.VirtualSource(f"s{k}.h5", "d", (5, 4, 5))
    master(tmp_path / "m.h5", layout)
    assert len(same(tmp_path / "m.h5").parts) == 1


def test_mosaic_of_modules(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((6, 9, 11), "u2")
    for k in range(4):
        source(tmp_path / f"s{k}.h5", (6, 4, 5), k, chunks=(1, 4, 5))
        y, x = divmod(k, 2)
        layout[:, 5 * y : 5 * y + 4, 6 * x : 6 * x + 5] = h5py.VirtualSource(
            f"s{k}.h5", "d", (6, 4, 5)
        )
    master(tmp_path / "m.h5", layout)
    assert len(same(tmp_path / "m.h5").parts) == 4


@pytest.mark.parametrize("axes", [2, 3])
def test_modules_along_an_axis_of_their_own(axes: int, tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((6, 3, 4, 5), "u2")
    for k in range(3):
        source(tmp_path / f"s{k}.h5", (6, 4, 5), k, chunks=(2, 3, 2))
        layout[:, k] = h5py.VirtualSource(f"s{k}.h5", "d", (6, 4, 5))
    master(tmp_path / "m.h5", layout)
    same(tmp_path / "m.h5", frame_ndim=axes)


def test_one_image_a_file_a_region_of_a_source_and_order(tmp_path: Path) -> None:
    source(tmp_path / "s.h5", (9, 6, 8), chunks=(2, 6, 8))
    source(tmp_path / "one.h5", (4, 5), 1)
    source(tmp_path / "deep.h5", (3, 4, 6, 8), 2, chunks=(1, 2, 6, 8))
    layout = h5py.VirtualLayout((14, 4, 5), "u2")
    whole = h5py.VirtualSource("s.h5", "d", (9, 6, 8))
    layout[0] = h5py.VirtualSource("one.h5", "d", (4, 5))
    for k in range(4):
        layout[1 + k] = whole[8 - k, 1:5, 2:7]
    layout[5:10:2] = whole[0:9:3, 2:6, 3:8]
    layout[11:14] = h5py.VirtualSource("deep.h5", "d", (3, 4, 6, 8))[:, 2, 2:6, 3:8]
    master(tmp_path / "m.h5", layout)
    same(tmp_path / "m.h5")


def test_scan_of_two_axes_over_files_of_one(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((3, 4, 5, 6), "u2")
    for k in range(3):
        source(tmp_path / f"s{k}.h5", (4, 5, 6), k, chunks=(3, 5, 6))
        layout[k] = h5py.VirtualSource(f"s{k}.h5", "d", (4, 5, 6))
    master(tmp_path / "m.h5", layout)
    assert same(tmp_path / "m.h5").outer == (3, 4)


def test_missing_sources_are_the_fill_value(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((9, 4, 5), "u2")
    for k in range(3):
        layout[3 * k : 3 * k + 3] = h5py.VirtualSource(f"s{k}.h5", "d", (3, 4, 5))
    source(tmp_path / "s0.h5", (3, 4, 5))
    with h5py.File(tmp_path / "s2.h5", "w") as file:
        file["other"] = 1
    master(tmp_path / "m.h5", layout)
    stack = same(tmp_path / "m.h5")
    assert stack.missing == ("s1.h5", f"{tmp_path}/s2.h5:d")


def test_each_level_has_its_own_fill_value(tmp_path: Path) -> None:
    source(tmp_path / "s.h5", (4, 4, 5), chunks=(1, 4, 5))
    inner = h5py.VirtualLayout((6, 6, 7), "u2")
    inner[1:5, 1:5, 1:6] = h5py.VirtualSource("s.h5", "d", (4, 4, 5))
    with h5py.File(tmp_path / "i.h5", "w") as file:
        file.create_virtual_dataset("d", inner, fillvalue=3)
    middle = h5py.VirtualLayout((8, 6, 7), "u2")
    middle[2:8] = h5py.VirtualSource("i.h5", "d", (6, 6, 7))
    with h5py.File(tmp_path / "j.h5", "w") as file:
        file.create_virtual_dataset("d", middle, fillvalue=4)
    layout = h5py.VirtualLayout((12, 8, 9), "u2")
    layout[1:9, 1:7, 1:8] = h5py.VirtualSource("j.h5", "d", (8, 6, 7))
    layout[9:12, 2:8, :7] = h5py.VirtualSource("i.h5", "d", (6, 6, 7))[::2]
    master(tmp_path / "m.h5", layout)
    same(tmp_path / "m.h5")


def test_source_in_the_same_file_and_through_links(tmp_path: Path) -> None:
    source(tmp_path / "s.h5", (3, 4, 5))
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["own"] = np.arange(60, dtype="u2").reshape(3, 4, 5)
        file["g/soft"] = h5py.SoftLink("/own")
        file["g/out"] = h5py.ExternalLink("s.h5", "d")
        layout = h5py.VirtualLayout((9, 4, 5), "u2")
        for k, name in enumerate(("own", "g/soft", "g/out")):
            layout[3 * k : 3 * k + 3] = h5py.VirtualSource(".", name, (3, 4, 5))
        file.create_virtual_dataset("v", layout)
    assert len(same(tmp_path / "m.h5").files) == 2


@pytest.mark.parametrize("lengths", [(4, 4, 4), (4, 7, 2), (4, 1, 3)])
def test_unlimited_sources(lengths: tuple[int, ...], tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((4, 3, 5), "u2", maxshape=(None, 3, 5))
    for k, n in enumerate(lengths):
        source(tmp_path / f"s{k}.h5", (n, 1, 5), k, chunks=(2, 1, 5), maxshape=(None, 1, 5))
        layout[: h5s.UNLIMITED, k : k + 1, :] = h5py.VirtualSource(
            f"s{k}.h5", "d", (n, 1, 5), maxshape=(None, 1, 5)
        )[: h5s.UNLIMITED, :, :]
    master(tmp_path / "m.h5", layout)
    assert same(tmp_path / "m.h5").shape[0] == max(lengths)


def test_percent_signs_in_names(tmp_path: Path) -> None:
    (tmp_path / "100%").mkdir()
    source(tmp_path / "100%" / "s.h5", (3, 4, 5))
    layout = h5py.VirtualLayout((3, 4, 5), "u2")
    layout[:] = h5py.VirtualSource("100%%/s.h5", "d", (3, 4, 5))
    master(tmp_path / "m.h5", layout)
    same(tmp_path / "m.h5")


@pytest.mark.parametrize("where", ["beside", "prefix", "two prefixes", "cwd", "real", "absolute"])
def test_sources_are_looked_for_where_hdf5_does(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, path = "sub/s.h5", tmp_path / "m" / "m.h5"
    for folder in ("m/sub", "p/sub", "c/sub", "r/sub"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "c")
    if where == "absolute":  # gone from there; its last part is beside the master
        name = "/no/such/folder/s.h5"
        source(tmp_path / "m" / "s.h5", (3, 4, 5), 1)
    else:
        source(tmp_path / "c" / name, (3, 4, 5), 2)
    if where in {"beside", "prefix", "two prefixes"}:
        source(tmp_path / "m" / name, (3, 4, 5), 3)
    if "prefix" in where:
        source(tmp_path / "p" / name, (3, 4, 5), 4)
        one = f"{tmp_path}/p"
        monkeypatch.setenv("HDF5_VDS_PREFIX", f"/no/such:{one}" if "two" in where else one)
    layout = h5py.VirtualLayout((3, 4, 5), "u2")
    layout[:] = h5py.VirtualSource(name, "d", (3, 4, 5))
    if where == "real":
        (tmp_path / "c" / name).unlink()
        source(tmp_path / "r" / name, (3, 4, 5), 5)
        master(tmp_path / "r" / "m.h5", layout)
        path.symlink_to("../r/m.h5")
    else:
        master(path, layout)
    assert not same(path).missing


def test_what_hdf5_does_not_define_is_left_to_it(tmp_path: Path) -> None:
    source(tmp_path / "s.h5", (3, 4, 5))
    one = h5py.VirtualSource("s.h5", "d", (3, 4, 5))
    layouts = {name: h5py.VirtualLayout((5, 4, 5), "u2") for name in ("over", "rows", "other")}
    layouts["over"][0:3] = one
    layouts["over"][2:5] = one
    layouts["rows"][0:3, ::2] = one[:, 0:2]
    layouts["other"] = h5py.VirtualLayout((5, 4, 5), "u4")
    layouts["other"][0:3] = one
    for name, words in {"over": "on each other", "rows": "every nth", "other": "uint32"}.items():
        master(tmp_path / f"{name}.h5", layouts[name])
        assert words in str(open_stack(tmp_path / f"{name}.h5", "v").refused)


def test_source_that_cannot_be_read_is_an_error_in_its_frames_alone(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((6, 4, 5), "u2")
    for k in range(2):
        source(tmp_path / f"s{k}.h5", (3, 4, 5), k)
        layout[3 * k : 3 * k + 3] = h5py.VirtualSource(f"s{k}.h5", "d", (3, 4, 5))
    master(tmp_path / "m.h5", layout)
    whole = (tmp_path / "s1.h5").read_bytes()
    (tmp_path / "s1.h5").write_bytes(whole[:-100])
    stack = open_stack(tmp_path / "m.h5", "v")
    bad = {
        frame
        for part in stack.parts
        for frame, number in enumerate(part.taken(part.start, part.start + part.count), part.start)
        if part.stored.offset[number // part.stored.chunk[0], 0] == DAMAGED
    }
    assert bad == {3, 4, 5}
    with pytest.raises(ValueError, match=r"s1\.h5"):
        assembled(stack)


def chain(folder: Path, *names: str) -> None:
    """Each virtual dataset is made of the next one."""
    for one, other in pairwise(names):
        layout = h5py.VirtualLayout((3, 4, 5), "u2")
        layout[:] = h5py.VirtualSource(f"{other}.h5", "v", (3, 4, 5))
        master(folder / f"{one}.h5", layout)


def test_virtual_datasets_that_are_made_of_themselves(tmp_path: Path) -> None:
    chain(tmp_path, *"mabca")
    with pytest.raises(DataFileError, match=r"a\.h5'.*: the virtual dataset /v is made of itself"):
        open_stack(tmp_path / "m.h5", "v")
    chain(tmp_path, *(f"d{number}" for number in range(18)))
    assert "deeper" in str(open_stack(tmp_path / "d0.h5", "v").refused)
    chain(tmp_path, "one", "one")
    with pytest.raises(DataFileError, match="made of itself"):
        open_stack(tmp_path / "one.h5", "v")


def test_master_that_is_damaged(tmp_path: Path) -> None:
    source(tmp_path / "s.h5", (3, 4, 5))
    whole = (tmp_path / "s.h5").read_bytes()
    (tmp_path / "s.h5").write_bytes(whole[:-100])
    with pytest.raises(DataFileError, match=r"s\.h5"):
        open_stack(tmp_path / "s.h5", "d")
