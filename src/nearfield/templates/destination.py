"""The folder of a run: new or empty, ours, and writable."""

from __future__ import annotations

import os
from pathlib import Path

from nearfield.errors import RunError, UsageError
from nearfield.provenance.files import PRIVATE_FOLDER
from nearfield.provenance.record import read_record, record_path


def check_destination(folder: Path) -> Path:
    """The absolute path of ``folder`` if a run can go there; nothing is made.

    Raises:
        UsageError: it is not empty, not a folder, or this account cannot write there.
    """
    folder = folder.expanduser().absolute()
    if not _is_text(str(folder)):
        raise UsageError(f"{str(folder)!a}: the path is not valid text")
    try:
        folder = folder.resolve()
        entries = os.listdir(folder)  # noqa: PTH208 - a name is all that is asked
    except FileNotFoundError:
        parent = next(up for up in folder.parents if up.exists())
        _check_writable(parent, f"{folder} cannot be made: ")
        return folder
    except NotADirectoryError:
        raise UsageError(f"{folder}: is a file, or is below one; --out must be a folder") from None
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from error
    if PRIVATE_FOLDER in entries:
        raise UsageError(f"{folder}: {_occupant(folder)}", hint="name a new folder with --out")
    if entries:
        raise UsageError(
            f"{folder}: is not empty: it holds {entries[0]!r}"
            + (f" and {len(entries) - 1} more" if len(entries) > 1 else ""),
            hint="name a new or an empty folder with --out",
        )
    _check_writable(folder, "")
    return folder


def occupy(folder: Path) -> Path:
    """Make the folder and take it; returns its private folder. Of two runs, one gets it.

    Raises:
        UsageError: another run took it since it was checked, or it cannot be written.
    """
    private = folder / PRIVATE_FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        private.mkdir()
    except FileExistsError:
        raise UsageError(
            f"{folder}: {_occupant(folder)}", hint="name a new folder with --out"
        ) from None
    except OSError as error:
        raise UsageError(f"{error.filename or folder}: {error.strerror}") from error
    return private


def _occupant(folder: Path) -> str:
    if not record_path(folder).exists():
        return "holds a run that was cut off before it began"
    try:
        record = read_record(folder)
    except RunError as error:
        return f"holds a run that cannot be read: {error.message}"
    when = f"{record.started:%Y-%m-%d %H:%M} UTC"
    if record.status == "running":
        return (
            f"holds run {record.run_id} of {record.template.name}, which is incomplete: begun "
            f"{when} on {record.host}, still running or cut off"
        )
    return f"holds run {record.run_id} of {record.template.name} ({record.status}, {when})"


def _check_writable(folder: Path, prefix: str) -> None:
    if not folder.is_dir():
        raise UsageError(f"{prefix}{folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(
            f"{prefix}{folder} is not writable by this account",
            hint="name a folder of your own with --out",
        )


def _is_text(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
