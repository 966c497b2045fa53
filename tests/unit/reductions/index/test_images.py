"""Stacks of TIFF, EDF, CBF and raw files are what their libraries read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fabio
import numpy as np
import pytest
import tifffile
import xarray as xr

import nearfield
from nearfield.errors import DataFileError, UsageError
from nearfield.reductions.asking import reduce_stack
from nearfield.reductions.index import files, images, open_raw, open_stack
from nearfield.reductions.stack import Stack

DATA = np.random.default_rng(2).integers(0, 60000, (12, 17, 23)).astype("u2")


def edf(path: Path, frames: np.ndarray) -> None:
    image = fabio.edfimage.EdfImage(data=frames[0])
    for frame in frames[1:]:
        image.append_frame(data=frame)
    image.write(str(path))


def write(folder: Path, kind: str) -> str:
    """Files of ``DATA``, and the path or pattern to open them by."""
    pages = {
        "pages": {},
        "big-endian": {"byteorder": ">"},
        "BigTIFF": {"bigtiff": True},
        "deflate": {"compression": "zlib"},
        "tiles": {"tile": (16, 16)},
        "strips": {"rowsperstrip": 5},
        "ImageJ": {"imagej": True},
    }
    if kind in pages:
        with_tags = {"photometric": "minisblack", **pages[kind]}
        tifffile.imwrite(folder / "a.tif", DATA, **with_tags)
        return str(folder / "a.tif")
    if kind == "pages apart":
        with tifffile.TiffWriter(folder / "a.tif") as file:
            for frame in DATA:
                file.write(frame, contiguous=False, metadata=None)
        return str(folder / "a.tif")
    if kind == "EDF":
        edf(folder / "a.edf", DATA)
        return str(folder / "a.edf")
    for number, frame in enumerate(DATA):
        if kind == "numbered TIFF":
            tifffile.imwrite(folder / f"a_{number}.tif", frame)
        elif kind == "numbered, deflate":
            tifffile.imwrite(folder / f"a_{number}.tif", frame, compression="zlib")
        elif kind == "numbered EDF":
            edf(folder / f"a_{number}.edf", frame[None])
        else:
            fabio.cbfimage.CbfImage(data=frame.astype("i4")).write(str(folder / f"a_{number}.cbf"))
    return str(folder / f"a_*.{kind[-3:].lower() if kind[-3:] in {'EDF', 'CBF'} else 'tif'}")


PLAIN = ("pages", "big-endian", "BigTIFF", "pages apart", "strips", "ImageJ", "EDF")
NUMBERED = ("numbered TIFF", "numbered EDF")
BY_LIBRARY = ("deflate", "tiles", "numbered, deflate", "numbered CBF")


def check(stack: Stack, data: np.ndarray) -> None:
    found = reduce_stack(stack, sum=True, roi=(slice(2, 9), slice(3, 20)))
    np.testing.assert_array_equal(found["sum"], data.astype("i8").sum(0))
    np.testing.assert_array_equal(found["roi"], data[:, 2:9, 3:20].astype("i8").sum((1, 2)))


@pytest.mark.parametrize("kind", PLAIN + NUMBERED)
def test_plain_bytes_are_read_as_such(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind)
    stack = open_stack(path)
    assert stack.refused is None
    assert stack.shape == DATA.shape
    check(stack, DATA)


@pytest.mark.parametrize("kind", PLAIN + NUMBERED + BY_LIBRARY)
def test_the_engine_reads_them(tmp_path: Path, kind: str) -> None:
    found = xr.open_dataset(write(tmp_path, kind), engine="nearfield")["data"]
    assert found.dims == ("frame", "y", "x")
    np.testing.assert_array_equal(found, DATA)
    np.testing.assert_array_equal(found[[10, 2], 3:5, -1], DATA[[10, 2], 3:5, -1])


def test_raw_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(b"head" + DATA.astype(">u2").tobytes())
    check(open_raw(tmp_path / "a.raw", (17, 23), ">u2", offset=4), DATA)
    for number, half in enumerate((DATA[:5], DATA[5:])):
        framed = b"xx".join(frame.tobytes() for frame in half)
        (tmp_path / f"b{number}.bin").write_bytes(framed)
    check(open_raw(tmp_path / "b*.bin", (17, 23), "u2", gap=2), DATA)
    with pytest.raises(UsageError, match="no whole number of frames"):
        open_raw(tmp_path / "a.raw", (17, 23), ">u2")


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a_1.tif", DATA[0])
    tifffile.imwrite(tmp_path / "a_2.tif", DATA[0, :5])
    with pytest.raises(DataFileError, match=r"a_2\.tif': its images are \(5, 23\)"):
        open_stack(tmp_path / "a_*.tif")
    with pytest.raises(DataFileError, match="there is no such file"):
        open_stack(tmp_path / "b_*.tif")
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((9, 9, 3), "u1"), photometric="rgb")
    with pytest.raises(UsageError, match=r"\(YXS\), not \(y, x\)"):
        open_stack(tmp_path / "c.tif")
    (tmp_path / "d.tif").write_bytes(b"no image at all")
    with pytest.raises(DataFileError, match=r"d\.tif"):
        open_stack(tmp_path / "d.tif")


def test_numbers_are_in_their_order(tmp_path: Path) -> None:
    for number in (10, 9, 100, 1):
        tifffile.imwrite(tmp_path / f"a{number}.tif", np.full((4, 4), number, "u2"))
    found = xr.open_dataset(tmp_path / "a*.tif", engine="nearfield")["data"]
    assert found[:, 0, 0].values.tolist() == [1, 9, 10, 100]


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    pattern = write(tmp_path, "numbered CBF")
    stack = open_stack(pattern)
    assert stack.refused is not None
    (tmp_path / "a_7.cbf").write_bytes(b"no image at all")
    found = xr.open_dataset(pattern, engine="nearfield")["data"]
    np.testing.assert_array_equal(found[:7], DATA[:7])
    with pytest.raises(DataFileError, match=r"a_7\.cbf': frame 7: "):
        found.load()
    with pytest.raises(DataFileError, match=r"a_7\.cbf': frame 7: "):
        reduce_stack(stack, sum=True)["sum"].load()
    again = fabio.cbfimage.CbfImage(data=DATA[0].astype("i4"))
    again.write(str(tmp_path / "a_7.cbf"))
    with pytest.raises(DataFileError, match=r"a_7\.cbf': frames 7 to 7: .* replaced"):
        found.load()


def test_numbered_files_have_as_many_images_as_was_thought(tmp_path: Path) -> None:
    for number, frames in enumerate((DATA[:1], DATA[1:3])):
        name = tmp_path / f"a_{number}.tif"
        tifffile.imwrite(name, frames, compression="zlib", photometric="minisblack")
    found = xr.open_dataset(tmp_path / "a_*.tif", engine="nearfield")["data"]
    with pytest.raises(DataFileError, match=r"a_1\.tif': frame 1: it has 2 images, and not 1"):
        found.load()


@pytest.mark.parametrize("kind", ["pages", "deflate"])
def test_a_selection_of_images_is_reduced(tmp_path: Path, kind: str) -> None:
    found = xr.open_dataset(write(tmp_path, kind), engine="nearfield")["data"]
    cut = found[3:9, 4:15, 6:].nearfield.reduce(sum=True)["sum"]
    np.testing.assert_array_equal(cut, DATA[3:9, 4:15, 6:].astype("u8").sum(0))


def test_reduce_takes_a_pattern_and_raw_frames(tmp_path: Path) -> None:
    pattern = write(tmp_path, "numbered TIFF")
    found = nearfield.reduce(pattern, sum=True)["sum"]
    np.testing.assert_array_equal(found, DATA.astype("u8").sum(0))
    (tmp_path / "a.bin").write_bytes(DATA.tobytes())
    raw = nearfield.reduce(open_raw(tmp_path / "a.bin", (17, 23), "u2"), sum=True)["sum"]
    np.testing.assert_array_equal(raw, DATA.astype("u8").sum(0))


@pytest.mark.parametrize("kind", ["numbered TIFF", "numbered, deflate", "numbered EDF", "pages"])
def test_an_index_is_kept_while_its_files_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(files, "FRESH", 0.0)
    path = write(tmp_path, kind)
    opened: list[str] = []
    inner = images.opened_images

    def counted(path: str, series: str | None = None) -> Any:
        opened.append(path)
        return inner(path, series)

    monkeypatch.setattr(images, "opened_images", counted)
    first = open_stack(path)
    assert opened
    opened.clear()
    again = open_stack(path)
    assert not opened
    assert (again.refused, again.asked, again.held) == (first.refused, first.asked, first.held)
    np.testing.assert_array_equal(reduce_stack(again, sum=True)["sum"], DATA.sum(0))
    one = Path(again.files[-1].path)
    raw = one.read_bytes()
    one.unlink()
    if "*" in path:  # the pattern means one file less, and then one more
        assert open_stack(path).shape[0] == len(DATA) - 1
    one.write_bytes(raw)
    opened.clear()
    np.testing.assert_array_equal(reduce_stack(open_stack(path), sum=True)["sum"], DATA.sum(0))
    assert opened
