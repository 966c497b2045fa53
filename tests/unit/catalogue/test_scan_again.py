"""Scans that were killed, and scans of many files that did not change."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nearfield.catalogue import CatalogueStore, scan
from nearfield.config import Config
from nearfield.testing.synthetic import make_linked

HELD_SCAN = """
import sys
from pathlib import Path
from nearfield.catalogue import CatalogueStore, _scan_files, scan, scanning
from nearfield.config import Config
scanning.BATCH_FILES = _scan_files.BATCH_FILES = 5
store = CatalogueStore(Path(sys.argv[1]))
def tell(done, total, what=""):
    print(done, what, flush=True)
    sys.stdin.readline()  # no further until told
scan(store, Path(sys.argv[2]), Config(), on_progress=tell)
"""


@pytest.mark.parametrize("after", [3, 12, 33, 45])
def test_kill_and_scan_again(tmp_path: Path, folder: Path, after: int, opens: list[str]) -> None:
    for number in range(30):
        make_linked(folder / f"f{number:02d}.h5", f"f{number:02d}")
    file = tmp_path / "c.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", HELD_SCAN, str(file), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as scanner:
        assert scanner.stdin is not None
        assert scanner.stdout is not None
        scanner.stdin.write("\n" * (after - 1))
        scanner.stdin.flush()
        for _ in range(after):
            scanner.stdout.readline()
        scanner.kill()
        scanner.stdout.read()
    store = CatalogueStore(file, create=False)
    with store.reading() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    opens.clear()
    report = scan(store, folder, Config())
    assert (report.known, report.failed) == (30, ())
    # What was read before the kill and written with its batch is not read again.
    assert len(opens) <= max(0, 30 - (after - 1) // 5 * 5)
    assert store.count() == 30
    again = scan(store, folder, Config())
    assert (again.registered, again.unchanged, again.updated, again.missing) == (0, 30, 0, 0)
    store.close()


def test_of_unchanged_thousands_none_is_opened(
    store: CatalogueStore, folder: Path, opens: list[str]
) -> None:
    content = make_linked(folder / "f.h5").read_bytes()
    for number in range(1000):
        (folder / f"f{number}.h5").write_bytes(content)
    scan(store, folder, Config())
    opens.clear()
    assert scan(store, folder, Config()).unchanged == 1001
    assert opens == []
