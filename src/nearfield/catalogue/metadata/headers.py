"""Headers of detector images: ESRF's EDF, the mini-CBF and TIFF of Dectris detectors.

EDF and CBF are read here: of ``fabio``, which reads both, a catalogue would need the parsing of
text headers alone, and that takes a page. TIFF has a library of its own, ``tifffile``.
"""

from __future__ import annotations

import math
import os
import re
from datetime import datetime
from typing import Any

from nearfield.catalogue.metadata.model import FileMetadata
from nearfield.catalogue.metadata.values import number_of, text_of, time_of, title_from
from nearfield.datasets import ArrayInfo
from nearfield.errors import BlockedError, DataFileError
from nearfield.extras import install_extra

MAX_HEADER = 1 << 20
_BINARY = b"\x0c\x1a\x04\xd5"
_EDF_TYPES = {
    "signedbyte": "int8", "unsignedbyte": "uint8", "signedshort": "int16",
    "unsignedshort": "uint16", "signedinteger": "int32", "unsignedinteger": "uint32",
    "signedlong": "int32", "unsignedlong": "uint32", "signed64": "int64", "unsigned64": "uint64",
    "float": "float32", "floatvalue": "float32", "double": "float64", "doublevalue": "float64",
}  # fmt: skip
_EDF_UNITS = {
    "sampledistance": "m", "wavelength": "m", "psize_1": "m", "psize_2": "m",
    "exposuretime": "s", "center_1": "pixel", "center_2": "pixel",
}  # fmt: skip
_FACT = re.compile(
    r"#\s*([A-Za-z][\w ]*?)[ :=]+\(?([-+]?\d[\d.]*(?:[eE][-+]?\d+)?)\s*([A-Za-zÅµ°%]*)"
)
_CBF_TYPES = {"8": "int8", "16": "int16", "32": "int32", "64": "int64"}


def read_edf(path: str) -> FileMetadata:
    """The first header of an EDF file; raises DataFileError where there is none."""
    head, size = _head(path)
    text = head.decode("latin-1")
    end = re.search(r"\}\s*?\n", text)
    if not text.lstrip().startswith("{"):
        raise DataFileError(path, "not an EDF file: it does not begin with '{'")
    if end is None:
        raise DataFileError(path, "truncated: its header has no end")
    said: dict[str, str] = {}
    for part in text[text.index("{") + 1 : end.start()].split(";"):
        key, equals, value = part.partition("=")
        if equals and key.strip():
            said.setdefault(key.strip().lower(), value.strip())
    dims = [said[name] for name in ("dim_3", "dim_2", "dim_1") if name in said]
    dtype = _EDF_TYPES.get(said.get("datatype", "").lower().replace(" ", ""))
    if not dims or not all(d.isdecimal() and len(d) < 12 for d in dims) or dtype is None:
        raise DataFileError(path, "its header does not say what image it is (Dim_1, DataType)")
    shape = tuple(int(d) for d in dims)
    frame = math.prod(shape) * (int(re.sub(r"\D", "", dtype)) // 8)
    if size < end.end() + frame and "compression" not in said:
        raise DataFileError(path, "truncated: the file is shorter than it says")
    frames = size // (end.end() + frame)
    if frames > 1 and size == frames * (end.end() + frame):
        shape = (frames, *shape)
    title, warnings = title_from([text_of(said.get("title"), 10_000)])
    when = said.get("hmstarttime") or said.get("date") or said.get("time")
    start = _time(when)
    if when and start is None:
        warnings.append(f"time {when[:100]!r} is not a time that can be understood")
    facts = {key: _edf_fact(key, said[key]) for key in said if key in _EDF_UNITS}
    return FileMetadata(
        format="EDF",
        title=title,
        instrument=text_of(said.get("instrument") or said.get("beamline")),
        facility=text_of(said.get("machine")),
        sample=text_of(said.get("sample") or said.get("sample_name")),
        start_time=start,
        arrays=(ArrayInfo(path="/", shape=shape, dtype=dtype, signal=True),),
        scientific={key: fact for key, fact in facts.items() if fact is not None},
        warnings=tuple(warnings),
    )


def read_cbf(path: str) -> FileMetadata:
    """The header of a (mini-)CBF file; raises DataFileError where there is none."""
    head, _ = _head(path)
    if not head.startswith(b"###CBF"):
        raise DataFileError(path, "not a CBF file: it does not begin with '###CBF'")
    text = head.split(_BINARY, 1)[0].decode("latin-1")
    sizes = [
        re.search(rf"X-Binary-Size-{name}-Dimension:\s*(\d{{1,9}})", text)
        for name in ("Third", "Second", "Fastest")
    ]
    shape = tuple(int(found[1]) for found in sizes if found is not None and int(found[1]))
    bits = re.search(r'X-Binary-Element-Type:\s*"?(\w+) (\d+)-bit', text)
    if len(shape) < 2 or bits is None:
        raise DataFileError(path, "its header does not say what image it is")
    dtype = _CBF_TYPES.get(bits[2], "int32")
    array = ArrayInfo(
        path="/", shape=shape, dtype=f"u{dtype}" if bits[1] == "unsigned" else dtype, signal=True
    )
    return _dectris("CBF", text, array)


def read_tiff(path: str) -> FileMetadata:
    """The first page's tags of a TIFF file; raises DataFileError where it is none."""
    try:
        import tifffile
    except ImportError as error:
        raise BlockedError(
            "TIFF files cannot be read: tifffile is not installed",
            hint=install_extra("hub"),
        ) from error
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            pages = len(file.pages)
            shape = (pages, *page.shape) if pages > 1 else tuple(page.shape)
            array = ArrayInfo(path="/", shape=shape, dtype=str(page.dtype), signal=True)
            tags = {name: page.tags.valueof(code) for name, code in _TAGS.items()}
    except PermissionError as error:
        raise DataFileError(path, "permission denied") from error
    except Exception as error:  # tifffile raises a dozen kinds on what is no TIFF
        raise DataFileError(
            path, f"not a TIFF file: {' '.join(str(error).split())[:200]}"
        ) from error
    said = {name: text_of(value, 10_000) for name, value in tags.items()}
    description = said["description"] or ""
    if description.lstrip().startswith("#"):
        found = _dectris("TIFF", description, array)
    else:
        # Of other programs' XML and JSON nothing is shown: it is not for people.
        plain = None if description.lstrip()[:1] in ("", "<", "{", "[") else description[:2000]
        found = FileMetadata(format="TIFF", description=plain, arrays=(array,))
    title, warnings = title_from([said["title"]])
    facts = {key: said[key] for key in ("make", "model", "software") if said[key]}
    when = said["time"]
    start = found.start_time or _time(when)
    if when and start is None:
        warnings.append(f"DateTime {when[:100]!r} is not a time that can be understood")
    return found.model_copy(
        update={
            "title": title,
            "start_time": start,
            "scientific": {**facts, **found.scientific},
            "warnings": tuple(warnings),
        }
    )


_TAGS = {
    "title": 269, "description": 270, "make": 271, "model": 272, "software": 305, "time": 306,
}  # fmt: skip


def _head(path: str) -> tuple[bytes, int]:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read(MAX_HEADER), os.fstat(file.fileno()).st_size
    except PermissionError as error:
        raise DataFileError(path, "permission denied") from error
    except OSError as error:
        raise DataFileError(path, f"cannot be read: {error.strerror}") from error


def _dectris(kind: str, text: str, array: ArrayInfo) -> FileMetadata:
    """Comments as Dectris writes them: ``# Exposure_time 1.0 s``, one a line."""
    facts: dict[str, Any] = {}
    start: datetime | None = None
    for line in text.splitlines()[:500]:
        if not line.startswith("#"):
            continue
        if start is None and (found := time_of(line.lstrip("# ").strip())) is not None:
            start = found
        elif (fact := _FACT.match(line)) is not None:
            value = number_of(fact[2])
            if value is not None:
                unit = {"A": "angstrom"}.get(fact[3], fact[3])
                facts[fact[1].strip()] = {"value": value, "unit": unit} if unit else value
    return FileMetadata(format=kind, start_time=start, arrays=(array,), scientific=facts)


def _edf_fact(key: str, said: str) -> Any:
    value = number_of(said)
    return None if value is None else {"value": value, "unit": _EDF_UNITS[key]}


def _time(said: str | None) -> datetime | None:
    """ISO 8601, TIFF's ``2024:01:31 12:00:00``, or the C library's ``Wed Jan 31 12:00:00 2024``."""
    if not said:
        return None
    text = said.strip()
    if (found := time_of(text)) is not None:
        return found
    for pattern in ("%Y:%m:%d %H:%M:%S", "%a %b %d %H:%M:%S %Y"):
        try:
            return datetime.strptime(text, pattern)  # noqa: DTZ007
        except ValueError:
            continue
    return None
