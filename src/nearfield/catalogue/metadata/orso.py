"""ORSO's text format for reflectivity (https://www.reflectometry.org/file_format/specification).

The header is YAML behind ``#``. It is read here, with ``yaml.safe_load``, and not by ``orsopy``:
that checks the whole header against its classes, where a catalogue takes what there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import yaml

from nearfield.catalogue.metadata.model import FileMetadata
from nearfield.catalogue.metadata.values import number_of, text_of, time_of, title_from, unique
from nearfield.datasets import ArrayInfo, Axis
from nearfield.errors import DataFileError
from nearfield.techniques import technique_ids

MAX_VALUES = 20_000
MAX_LINE = 100_000
MAX_HEADER = 1_000_000
MAX_LINES = 1_000_000
_MARK = "# # ORSO reflectivity data file"


def read_orso(path: str) -> FileMetadata:
    """The header of the first data set, and the shape of all.

    Raises:
        DataFileError: not such a file, or its header is no YAML.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            # In pieces: a line may be as long as the file, and that longer than the memory.
            pieces = iter(lambda: file.readline(MAX_LINE), "")
            lines = (line for _, line in zip(range(MAX_LINES), pieces, strict=False))
            header, arrays = _parts(path, lines)
    except OSError as error:
        why = "permission denied" if isinstance(error, PermissionError) else str(error.strerror)
        raise DataFileError(path, why) from error
    source = _map(header.get("data_source"))
    experiment, sample = _map(source.get("experiment")), _map(source.get("sample"))
    settings = _map(_map(source.get("measurement")).get("instrument_settings"))
    title, warnings = title_from([text_of(experiment.get("title"), 10_000)])
    start = _time(experiment.get("start_date"))
    if experiment.get("start_date") is not None and start is None:
        said = str(experiment["start_date"])[:100]
        warnings.append(f"start_date {said!r} is not a time that can be understood")
    probe = text_of(experiment.get("probe"))
    scientific = {
        name: value
        for name, said in settings.items()
        if isinstance(name, str) and (value := _quantity(said)) is not None
    }
    return FileMetadata(
        format="ORSO",
        title=title,
        techniques=("reflectometry",),
        technique_ids=technique_ids(["reflectometry"], probe=probe),
        instrument=text_of(experiment.get("instrument")),
        facility=text_of(experiment.get("facility")),
        sample=text_of(sample.get("name")),
        proposal=_text(experiment.get("proposalID")),
        start_time=start,
        keywords=tuple(unique([probe, text_of(settings.get("polarization"))])),
        arrays=arrays,
        scientific=scientific,
        warnings=tuple(warnings),
    )


def _parts(path: str, lines: Iterator[str]) -> tuple[dict[str, Any], tuple[ArrayInfo, ...]]:
    first = next(lines, "")
    if not first.startswith(_MARK):
        raise DataFileError(path, "not an ORSO file: its first line says so of none")
    header: dict[str, Any] | None = None
    arrays: list[ArrayInfo] = []
    block: list[str] = []
    size = rows = columns = 0
    named: dict[str, Any] = {}

    def close() -> None:
        if rows:
            arrays.append(_array(named, len(arrays), rows, columns))

    for line in lines:
        if line.startswith("#"):
            if rows:
                close()
                rows, named = 0, {}
            block.append(line[2:] if line.startswith("# ") else line[1:])
            size += len(line)
            if size > MAX_HEADER:
                raise DataFileError(path, f"a header of more than {MAX_HEADER} characters")
        elif line.strip():
            if block:
                named = _header(path, block)
                # Later data sets say only what differs from the first.
                header = named if header is None else header
                named = {**header, **named}
                block = []
            rows, columns = rows + 1, max(columns, len(line.split()))
    close()
    if header is None:
        header = _header(path, block)
    return header, tuple(arrays)


def _header(path: str, block: list[str]) -> dict[str, Any]:
    # The last line is the columns' names for people, and no YAML.
    kept = [line for line in block if not line.startswith("#")]
    while kept and not kept[-1].strip():
        kept.pop()
    for tried in (kept, kept[:-1]):
        try:
            said = yaml.safe_load("".join(tried))
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            problem: Exception = error
            continue
        if isinstance(said, dict) and _is_small(said):
            return said
        problem = ValueError(
            f"it stands for more than {MAX_VALUES} values"
            if isinstance(said, dict)
            else "it is no mapping"
        )
    reason = " ".join(str(problem).split())[:200]
    raise DataFileError(path, f"its header is not valid YAML: {reason}")


def _is_small(header: dict[str, Any]) -> bool:
    """With aliases some lines may stand for more values than any memory holds, or for no end."""
    left: list[Any] = [header]
    for _ in range(MAX_VALUES):
        if not left:
            return True
        one = left.pop()
        left += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    return False


def _array(header: dict[str, Any], number: int, rows: int, columns: int) -> ArrayInfo:
    name = _text(header.get("data_set")) or str(number)
    said = header.get("columns")
    described = [_map(column) for column in said] if isinstance(said, list) else []
    first = described[0] if described else {}
    value = described[1] if len(described) > 1 else {}
    axis = text_of(first.get("name"))
    return ArrayInfo(
        path=name,
        shape=(rows, columns),
        dtype="float64",
        units=text_of(value.get("unit")),
        signal=number == 0,
        axes=(Axis(name=axis, units=text_of(first.get("unit"))), None) if axis else (),
    )


def _map(said: Any) -> dict[str, Any]:
    return said if isinstance(said, dict) else {}


def _text(said: Any) -> str | None:
    return str(said) if isinstance(said, (int, float)) else text_of(said)


def _time(said: Any) -> datetime | None:
    """YAML reads a time by itself; a date alone is the day's beginning, without a zone."""
    if isinstance(said, datetime):
        return said
    if isinstance(said, date):
        return datetime(said.year, said.month, said.day)  # noqa: DTZ001
    return time_of(text_of(said))


def _quantity(said: Any) -> Any:
    """A value with its unit; of a range its two ends have no one value, so it is left out."""
    if not isinstance(said, dict):
        return said if isinstance(said, str) and len(said) <= 100 else number_of(said)
    value, unit = number_of(said.get("magnitude")), text_of(said.get("unit"))
    if value is None:
        return None
    return {"value": value, "unit": unit} if unit else value
