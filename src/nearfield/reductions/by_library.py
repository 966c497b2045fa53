"""Images as the library of their format reads them: tifffile for TIFF, fabio for EDF and CBF."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nearfield.errors import BlockedError, DataFileError, NearfieldError, UsageError
from nearfield.reductions.index.files import file_id, unchanged
from nearfield.reductions.index.refusing import NotUnderstood
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.stack import FileId, Held, Shape, Stack
from nearfield.reductions.unreadable import FileChanged, Noted, without

_TIFF = (".tif", ".tiff")
_REPLACED = "the file was replaced while it was read"
IMAGES = (*_TIFF, ".edf", ".cbf")


@dataclass(frozen=True)
class Image:
    """What all images of a file are."""

    shape: Shape
    """(y, x)."""
    dtype: np.dtype[np.generic]
    """As in the file, byte order too."""
    count: int


class Images(Protocol):
    """An open file."""

    def header(self) -> Image:
        """Raises UsageError for what is no stack of images."""

    def offsets(self) -> NDArray[np.uint64]:
        """Where each image's bytes begin. Raises NotUnderstood where they are no such bytes."""

    def read(self, number: int) -> Array:
        """One image."""


@contextmanager
def opened_images(path: str, series: str | None = None) -> Iterator[Images]:
    """A file of images.

    Raises:
        BlockedError: the format's library is not installed.
        DataFileError: the file cannot be read.
        UsageError: there is no such series.
    """
    try:
        if path.lower().endswith(_TIFF):
            import tifffile

            with tifffile.TiffFile(path) as file:
                yield _Tiff(path, file, series)
        else:
            import fabio

            with fabio.open(path) as file:
                yield _Fabio(path, file)
    except ImportError as error:
        raise BlockedError(
            f"{path!r} needs {error.name}", hint="install Nearfield with the extra 'images'"
        ) from error
    except (NearfieldError, NotUnderstood):
        raise
    except Exception as error:  # the libraries raise a dozen kinds on what is damaged
        raise DataFileError(path, f"its images cannot be read: {error}") from error


def blocks(
    stack: Stack, start: int, stop: int, noted: Noted, block: int
) -> Iterator[tuple[int, Array]]:
    """As ``reading.blocks``, of files of images; ``block`` is how many make one."""
    box = tuple(
        slice(low, low + n)
        for low, n in zip(stack.corner or (0, 0), stack.frame_shape, strict=True)
    )
    known = {file.path: file for file in stack.files}
    first = -stack.skipped
    for one in stack.held:
        begin, end = max(start, first), min(stop, first + one.frames)
        while begin < end:
            n = min(block, end - begin)
            yield from _of_one(stack, one, first, (begin, begin + n), noted, box)
            if not _as_indexed(known[one.path]):
                raise FileChanged(one.path, f"frames {begin} to {begin + n - 1}: {_REPLACED}")
            begin += n
        first += one.frames


def _of_one(
    stack: Stack,
    one: Held,
    first: int,
    frames: tuple[int, int],
    noted: Noted,
    box: tuple[slice, ...],
) -> Iterator[tuple[int, Array]]:
    start, stop = frames
    found = np.empty((stop - start, *stack.frame_shape), stack.dtype)
    at = start
    holes = []
    while at < stop:
        try:
            with opened_images(one.path, one.name or None) as images:
                if (count := images.header().count) != one.frames:
                    raise DataFileError(one.path, f"it has {count} images, and not {one.frames}")
                while at < stop:
                    found[at - start] = _whole(images.read(at - first), stack, one.path)[box]
                    at += 1
        except DataFileError as error:
            noted.add(at, at + 1, one.path, _words(error))
            holes.append((at, at + 1))
            at += 1
    for low, high in without(start, stop, holes):
        yield low, found[low - start : high - start].reshape(high - low, -1)


def _words(error: DataFileError) -> str:
    """Without the file, which an error names itself."""
    return error.message.partition("': ")[2] or error.message


def _whole(image: Array, stack: Stack, path: str) -> Array:
    """An image, if it is as the stack's first."""
    whole = stack.shape[1:] if not stack.corner else image.shape
    if image.shape != whole or image.dtype.newbyteorder("=") != stack.dtype:
        raise DataFileError(
            path,
            f"it is {image.shape} of {image.dtype}, those before it {whole} of {stack.dtype}",
        )
    return image


def _as_indexed(file: FileId) -> bool:
    try:
        return unchanged(file_id(file.path), file)
    except OSError:
        return False


class _Tiff:
    def __init__(self, path: str, file: Any, series: str | None) -> None:
        self._path, self._file = path, file
        number = int(series) if series and series.isdecimal() else 0
        count = len(file.series)
        if (series is None and count > 1) or number >= count or (series and not series.isdecimal()):
            shown = ", ".join(f"{i}: {one.shape}" for i, one in enumerate(file.series[:20]))
            raise UsageError(
                f"{path!r}: it has {count} series of images, and {series!r} was asked for",
                hint=f"name one by its number: {shown}",
            )
        self._series = file.series[number]

    def header(self) -> Image:
        one = self._series
        if len(one.shape) < 2 or not one.axes.endswith("YX"):
            raise UsageError(f"{self._path!r}: its images are {one.shape} ({one.axes}), not (y, x)")
        kind = np.dtype(one.dtype).newbyteorder(self._file.byteorder)
        return Image(tuple(one.shape[-2:]), kind, math.prod(one.shape[:-2]))

    def offsets(self) -> NDArray[np.uint64]:
        one, found = self._series, self.header()
        size = math.prod(found.shape) * found.dtype.itemsize
        if one.dataoffset is not None:
            return np.arange(found.count, dtype=np.uint64) * np.uint64(size) + np.uint64(
                one.dataoffset
            )
        if len(one.pages) != found.count:
            raise NotUnderstood("its pages are not its images")
        offset = np.empty(found.count, np.uint64)
        for number, page in enumerate(one.pages):
            if page is None or not (page.is_contiguous and page.keyframe.is_final):
                raise NotUnderstood(f"page {number} is compressed, or in several pieces")
            offset[number] = page.dataoffsets[0]
        return offset

    def read(self, number: int) -> Array:
        pages = self._series.pages
        if len(pages) == self.header().count:
            return np.asarray(pages[number].asarray())
        every = self._series.asarray()
        found: Array = every.reshape(-1, *every.shape[-2:])[number]
        return found


class _Fabio:
    def __init__(self, path: str, file: Any) -> None:
        self._path, self._file = path, file

    def header(self) -> Image:
        first = self._file.get_frame(0)
        if len(first.shape) != 2:
            raise UsageError(f"{self._path!r}: its images are {first.shape}, not (y, x)")
        order = "<"
        if str(first.header.get("ByteOrder", "")).lower().startswith("high"):
            order = ">"
        return Image(
            tuple(first.shape), np.dtype(first.dtype).newbyteorder(order), int(self._file.nframes)
        )

    def offsets(self) -> NDArray[np.uint64]:
        found = self.header()
        size = math.prod(found.shape) * found.dtype.itemsize
        offset = np.empty(found.count, np.uint64)
        for number in range(found.count):
            frame = self._file.get_frame(number)
            start, length = getattr(frame, "start", None), getattr(frame, "size", None)
            compressed = str(frame.header.get("Compression", "none")).lower() != "none"
            if start is None or length != size or compressed or tuple(frame.shape) != found.shape:
                raise NotUnderstood(f"image {number} is compressed, or in a way of its own")
            offset[number] = start
        return offset

    def read(self, number: int) -> Array:
        return np.asarray(self._file.get_frame(number).data)
