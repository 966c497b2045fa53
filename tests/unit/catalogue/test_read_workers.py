"""Reading in processes that may die, hang or be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nearfield.catalogue import ScanReport, _reading
from nearfield.catalogue._reading import WORKER, Outcome, read_here, read_in_workers
from nearfield.errors import BlockedError, DataFileError
from nearfield.testing.synthetic import make_linked

# A worker that answers as the real one does, and does to itself what a path's name says.
ODD = """
import json, os, signal, sys
for line in sys.stdin:
    path, _ = json.loads(line)
    name = path.rpartition("/")[2]
    if name.startswith("crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if name.startswith("hang"):
        signal.pause()
    if name.startswith("once") and not os.path.exists(path):
        open(path, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    print(json.dumps({"read": json.dumps({"format": name})}), flush=True)
"""


def odd(paths: list[str], workers: int = 2, seconds: float = 60.0) -> dict[str, Outcome]:
    argv = (sys.executable, "-c", ODD)
    return dict(read_in_workers(iter(paths), workers, argv=argv, seconds=seconds))


def reasons(found: dict[str, Outcome]) -> dict[str, str]:
    return {p: said.reason for p, said in found.items() if isinstance(said, DataFileError)}


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_all_are_read_wherever(tmp_path: Path, workers: int) -> None:
    paths = [str(make_linked(tmp_path / f"f{n}\n'ä.h5", title=f"t{n}")) for n in range(20)]
    (tmp_path / "bad.h5").write_text("no data")
    paths.append(str(tmp_path / "bad.h5"))
    there, here = dict(read_in_workers(iter(paths), workers)), dict(read_here(paths))
    assert reasons(there) == reasons(here) == {paths[-1]: "not an HDF5 file"}
    assert {p: s for p, s in there.items() if p != paths[-1]} == {
        p: s for p, s in here.items() if p != paths[-1]
    }


@pytest.mark.parametrize("at", [0, 3, 9])
def test_a_crash_costs_one_file(at: int) -> None:
    paths = [f"/f{n}" for n in range(10)]
    paths.insert(at, "/crash")
    found = odd(paths)
    assert set(found) == set(paths)
    assert reasons(found) == {"/crash": "the process that read it died (SIGSEGV)"}


def test_many_crashes() -> None:
    paths = [name for n in range(6) for name in (f"/crash{n}", f"/f{n}")]
    assert set(reasons(odd(paths))) == {f"/crash{n}" for n in range(6)}


def test_who_was_killed_by_somebody_reads_again(tmp_path: Path) -> None:
    paths = [str(tmp_path / "once"), "/f1", "/f2"]
    found = odd(paths)
    assert (set(found), reasons(found)) == (set(paths), {})


def test_one_that_hangs_is_ended() -> None:
    found = odd(["/f1", "/hang", "/f2"], seconds=0.2)
    assert set(found) == {"/f1", "/hang", "/f2"}
    assert reasons(found) == {"/hang": "not read in 0 s"}


def test_a_worker_that_cannot_start_is_no_fault_of_the_files() -> None:
    with pytest.raises(BlockedError, match="exit code 7"):
        dict(read_in_workers(iter(["/a", "/b"]), 2, argv=(sys.executable, "-c", "exit(7)")))


def test_a_missing_h5py_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "h5py.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(BlockedError, match="h5py is not installed"):
        dict(read_in_workers(iter(["/a"]), 1))


def test_no_module_comes_from_the_folder_that_is_scanned(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "h5py.py").write_text("open('taken over', 'w')")
    path = str(make_linked(tmp_path / "a.h5"))
    monkeypatch.chdir(tmp_path)
    assert reasons(dict(read_in_workers(iter([path]), 1))) == {}
    assert not (tmp_path / "taken over").exists()


def test_workers_end_with_whoever_stops_listening() -> None:
    reading = read_in_workers(
        iter(f"/f{n}" for n in range(50)), 1, argv=(sys.executable, "-c", ODD)
    )
    next(reading)
    children = _children()
    assert children
    reading.close()
    assert not _children() & children


def test_the_worker_ends_with_its_input() -> None:
    done = subprocess.run(WORKER, input=b"", capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, b"")


def test_a_scan_goes_on_after_a_crash(
    folder: Path, rescan: Callable[..., ScanReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that kills its reader is reported and not read again until it changes."""
    for name in ("a.h5", "crash.h5", "z.h5"):
        make_linked(folder / name)
    patch = (
        "from nearfield.catalogue import _read_worker as w\n"
        "import os, signal\n"
        "real = w.answer\n"
        "def answer(path, wanted=()):\n"
        "    if 'crash' in path: os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    return real(path)\n"
        "w.answer = answer\n"
        "w.main()\n"
    )
    argv = (sys.executable, "-P", "-c", patch)
    monkeypatch.setattr(_reading.read_in_workers, "__kwdefaults__", {"argv": argv, "seconds": 60.0})
    report = rescan(workers=2)
    assert report.registered == 2
    assert [(f.path, f.reason) for f in report.failed] == [
        (str(folder / "crash.h5"), "the process that read it died (SIGSEGV)")
    ]
    monkeypatch.setattr(_reading, "_Pool", None)
    assert rescan(workers=2).failed == report.failed


def _children() -> set[int]:
    listed = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return {int(pid) for pid in listed if _runs(int(pid))}


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
