"""The process that looks: a JSON object a line comes in, one goes out. It ends when nobody asks."""

from __future__ import annotations

import base64
import json
import os
import resource
import select
import sys
from contextlib import suppress
from typing import Any

IDLE = 300.0
MEMORY = 4 * 1024**3


def look(asked: dict[str, Any]) -> dict[str, Any]:
    """What one question is answered with; raises LookError."""
    from nearfield_server.inside.files import AllowedFiles
    from nearfield_server.inside.tree import Tree
    from nearfield_server.inside.values import part_of
    from nearfield_server.inside.walk import Walk

    allowed = AllowedFiles(asked["files"], asked["folders"])
    with Walk(allowed) as walk:
        file = asked["file"]
        if asked["do"] == "picture":
            from nearfield_server.inside.picture import picture_of

            made = picture_of(walk, file, asked["names"])
            return {"png": None if made is None else base64.b64encode(made).decode()}
        path = asked["path"]
        found = walk.at(file, path)
        if asked["do"] == "slice":
            return part_of(walk, found, asked["slice"])
        return Tree(walk).node(found, path.rstrip("/").rpartition("/")[2] or "/", asked["depth"])


def answer(line: str) -> dict[str, Any]:
    """A question's answer, or what keeps it from one."""
    try:
        from nearfield_server.inside.files import LookError
        from nearfield_server.inside.walk import Walk  # noqa: F401 - h5py may be missing

        with suppress(ImportError):
            import hdf5plugin  # noqa: F401 - registers the detectors' compression filters
    except ImportError as error:
        return {"error": {"kind": "blocked", "message": f"files cannot be looked into: {error}"}}
    try:
        return {"ok": look(json.loads(line))}
    except LookError as error:
        said = {"kind": error.kind, "message": error.message, "hint": error.hint}
        return {"error": said}
    except ImportError as error:
        return {"error": {"kind": "blocked", "message": f"no picture can be made: {error}"}}
    except MemoryError:
        return {"error": {"kind": "file", "message": "it takes too much memory to look at"}}
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        # HDF5's own words: a damaged file, a compression filter that is not here.
        words = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        return {"error": {"kind": "file", "message": f"it cannot be read: {words}"}}


def main() -> None:
    """Answer until nobody asks any more."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.chdir("/")
    source, out = sys.stdin.buffer, sys.stdout.buffer
    while select.select([source], [], [], IDLE)[0]:
        line = source.readline()
        if not line:
            return
        out.write(json.dumps(answer(line.decode())).encode() + b"\n")
        out.flush()


if __name__ == "__main__":
    main()
