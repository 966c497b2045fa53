"""Image files, signed and not, and an Apptainer that counts how often it was asked."""

from __future__ import annotations

import json
import os
import struct
import sys
import time
from pathlib import Path
from typing import Any

PRINT = "260788aa10cc592d27c7945f940243dc42cbb9cc"
KEY = (
    "-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: x\n\neHl6\n=abcd\n"
    "-----END PGP PUBLIC KEY BLOCK-----\n"
)
PEM = "-----BEGIN PUBLIC KEY-----\neHl6\n-----END PUBLIC KEY-----\n"


def sif_file(path: Path, *parts: tuple[int, int, bytes], used: int = 1) -> Path:
    """(kind, role, content) of each part."""
    head = bytearray(128)
    head[32:42] = b"SIF_MAGIC\0"
    struct.pack_into("<qq", head, 88, len(parts), 128)
    table, data, start = bytearray(), b"", 128 + 585 * len(parts)
    for kind, role, content in parts:
        row = bytearray(585)
        struct.pack_into("<i?", row, 0, kind, used)
        struct.pack_into("<qq", row, 17, start + len(data), len(content))
        struct.pack_into("<i", row, 205, role)
        table += row
        data += content
    path.write_bytes(bytes(head) + bytes(table) + data)
    past = time.time() - 60
    os.utime(path, (past, past))
    return path


def signer(part: str = "FS", data: bool = True, fingerprint: str = PRINT) -> dict[str, Any]:
    return {"Signer": {"Partition": part, "Name": "Site <s@e.org>", "Fingerprint": fingerprint,
                       "KeyLocal": True, "KeyCheck": True, "DataCheck": data}}  # fmt: skip


def told(count: int, *signers: dict[str, Any]) -> str:
    return json.dumps({"Signatures": count, "SignerKeys": list(signers) or None})


class Apptainer:
    """A stand-in that answers and counts how often it was asked."""

    def __init__(self, folder: Path) -> None:
        self.program, self.calls = folder / "apptainer", folder / "calls"
        self.answer(0, told(1, signer()), "")

    def answer(self, code: int, out: str, err: str) -> None:
        self.program.write_text(
            f"#!{sys.executable} -I\nimport os, sys\n"
            f"open({str(self.calls)!r}, 'a').write(' '.join(sys.argv[1:]) + chr(10))\n"
            "assert oct(os.stat(os.environ['APPTAINER_KEYSDIR']).st_mode)[-3:] == '700'\n"
            "assert open(sys.argv[-1], 'rb').read(42)[32:41] == b'SIF_MAGIC'\n"
            f"print({out!r})\nprint({err!r}, file=sys.stderr)\nsys.exit({code})\n"
        )
        self.program.chmod(0o755)

    @property
    def asked(self) -> int:
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0
