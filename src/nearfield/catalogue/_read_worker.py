"""The process that opens data files for a scan: ``python -m nearfield.catalogue._read_worker``.

A path and the places that are wanted of it a line on standard input, an answer a line on standard
output, both JSON. A process of its own, because h5py reads one file at a time in a process, and
because HDF5 may crash on a damaged file: then this process is gone, and the scan says on which
file. It ends with its input.
"""

from __future__ import annotations

import json
import os
import sys

from nearfield.catalogue.metadata import read_file
from nearfield.errors import BlockedError, DataFileError


def answer(path: str, wanted: tuple[str, ...] = ()) -> dict[str, str | None]:
    """What a file says, or why it cannot be read."""
    try:
        return {"read": read_file(path, wanted).model_dump_json()}
    except DataFileError as error:
        return {"failed": error.reason}
    except BlockedError as error:
        return {"blocked": str(error), "hint": error.hint}


def main() -> None:
    # Whatever a library prints must not become an answer.
    out = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    for line in sys.stdin:
        path, wanted = json.loads(line)
        out.write(json.dumps(answer(path, tuple(wanted))) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
