"""Bad input: each reported with path and reason, and the scan goes on."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nearfield.catalogue import CatalogueStore, ScanReport, scan
from nearfield.catalogue._writers import open_for_writing
from nearfield.catalogue.metadata import reader
from nearfield.config import Config
from nearfield.datasets import Dataset
from nearfield.errors import BlockedError
from nearfield.testing.synthetic import make_stack

Rescan = Callable[..., ScanReport]
Datasets = Callable[[], list[Dataset]]
Run = Callable[..., subprocess.CompletedProcess[str]]


def reasons(report: ScanReport, folder: Path) -> dict[str, str]:
    """Reason by path below the folder."""
    return {found.path.removeprefix(f"{folder}/"): found.reason for found in report.failed}


@pytest.fixture(autouse=True)
def good(folder: Path) -> Path:
    """One good file that every scan must register whatever lies beside it."""
    return make_stack(folder / "good.h5", frames=2)


def test_what_is_not_hdf5(folder: Path, good: Path, rescan: Rescan) -> None:
    (folder / "text.h5").write_text("plain text, in no way HDF5")
    (folder / "empty.nxs").touch()
    (folder / "short.hdf5").write_bytes(b"\x89HD")
    (folder / "old.hdf").write_bytes(b"\x0e\x03\x13\x01" + bytes(100))
    (folder / "cut.h5").write_bytes(good.read_bytes()[:3000])
    (folder / "half.h5").write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    (folder / "page.h5").write_text("<html>404 not found</html>")
    (folder / "zeros.h5").write_bytes(bytes(10_000))
    report = rescan()
    assert report.registered == 1
    found = reasons(report, folder)
    assert found == {
        "text.h5": "not an HDF5 file",
        "empty.nxs": "empty: zero bytes",
        "short.hdf5": "not an HDF5 file",
        "old.hdf": "not an HDF5 file but HDF4",
        "cut.h5": "truncated: the file is shorter than it says",
        "half.h5": "truncated: the file is shorter than it says",
        "page.h5": "not an HDF5 file",
        "zeros.h5": "not an HDF5 file",
    }
    assert reasons(rescan(), folder) == found


def test_noise_in_a_good_file_never_stops_the_scan(
    folder: Path, good: Path, rescan: Rescan
) -> None:
    whole = good.read_bytes()
    random = np.random.default_rng(1)
    for number in range(40):
        broken = bytearray(whole)
        # The first kilobytes hold the structure, the rest are frames.
        for place in random.integers(8, 6000, 30):
            broken[place] = random.integers(0, 256)
        (folder / f"noise_{number}.h5").write_bytes(broken)
    report = rescan()
    assert report.registered + len({f.path for f in report.failed}) >= 41
    assert rescan().unchanged == report.registered


def test_a_truncated_file_without_suffix_is_reported_too(
    folder: Path, good: Path, rescan: Rescan
) -> None:
    (folder / "noname").write_bytes(good.read_bytes()[:3000])
    assert list(reasons(rescan(), folder)) == ["noname"]


def test_names_that_are_not_utf8(folder: Path, good: Path, rescan: Rescan) -> None:
    raw = os.fsencode(folder)
    os.link(good, raw + b"/caf\xe9.h5")
    os.mkdir(raw + b"/m\xfcller")  # noqa: PTH102
    os.link(good, raw + b"/m\xfcller/b.h5")
    report = rescan()
    assert report.registered == 1
    found = reasons(report, folder)
    assert set(found) == {r"caf\xe9.h5", r"m\xfcller"}
    assert all("not UTF-8" in reason for reason in found.values())
    json.dumps([found.path for found in report.failed]).encode("ascii")


def test_symbolic_links(folder: Path, tmp_path: Path, rescan: Rescan) -> None:
    outside = make_stack(tmp_path / "outside.h5", frames=1)
    (folder / "out.h5").symlink_to(outside)
    (folder / "outdir").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    (folder / "dangling.h5").symlink_to("nowhere.h5")
    (folder / "loop_a").symlink_to("loop_b")
    (folder / "loop_b").symlink_to("loop_a")
    (folder / "up").symlink_to("..")
    report = rescan()
    assert report.registered == 1
    found = reasons(report, folder)
    assert set(found) == {"out.h5", "outdir", "dangling.h5", "loop_a", "loop_b", "up"}
    assert str(outside) in found["out.h5"]
    assert "not followed" in found["up"]
    assert "dangling" in found["dangling.h5"]
    assert "loop" in found["loop_a"]


def test_what_is_no_file_is_never_opened(
    folder: Path, rescan: Rescan, opens: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(folder / "pipe.h5")
    os.mkfifo(folder / "pipe")
    monkeypatch.chdir(folder)  # a socket's name may have 107 bytes at most
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.h5")
        with h5py.File(folder / "linker.h5", "w") as file:
            file["a"] = h5py.ExternalLink("pipe.h5", "/x")
        opens.clear()
        report = rescan()
    found = reasons(report, folder)
    assert "not a regular file" in found["pipe.h5"]
    assert "not a regular file" in found["socket.h5"]
    assert "pipe.h5" in found["linker.h5"]
    assert report.registered == 2
    assert {path.rpartition("/")[2] for path in opens} == {"good.h5", "linker.h5"}


def test_a_folder_named_like_data(folder: Path, rescan: Rescan) -> None:
    (folder / "scan.h5").mkdir()
    make_stack(folder / "scan.h5/inner.h5", frames=1)
    assert rescan().registered == 2


def test_stubs_on_tape_are_not_recalled(folder: Path, rescan: Rescan, opens: list[str]) -> None:
    stub = folder / "stub.h5"
    with stub.open("wb") as file:
        file.truncate(1_000_000)
    with (folder / "stub_without_suffix").open("wb") as file:
        file.truncate(1_000_000)
    if stub.stat().st_blocks:
        pytest.skip("this file system gives blocks to a hole")
    report = rescan()
    assert "on tape" in reasons(report, folder)["stub.h5"]
    assert str(stub) not in opens
    assert "on tape" in reasons(rescan(), folder)["stub.h5"]
    report = rescan(recall=True)
    assert reasons(report, folder)["stub.h5"] == "not an HDF5 file"
    assert str(stub) in opens


def test_a_registered_file_that_moves_to_tape_stays_as_it_is(
    folder: Path, rescan: Rescan, monkeypatch: pytest.MonkeyPatch, datasets: Datasets, good: Path
) -> None:
    from nearfield.catalogue import _scan_files

    rescan()
    (before,) = datasets()
    good.chmod(0o600)  # migration touches the inode's time
    monkeypatch.setattr(_scan_files, "on_tape", lambda status: True)
    assert rescan().failed == ()
    assert datasets()[0].arrays == before.arrays


WRITE = """
import sys, h5py
file = h5py.File(sys.argv[1], "w", libver=sys.argv[2])
file["x"] = 1
file.flush()
if sys.argv[2] == "latest":
    file.swmr_mode = True
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_a_file_that_is_open_for_writing(folder: Path, rescan: Rescan, libver: str) -> None:
    growing = folder / "growing.h5"
    with subprocess.Popen(
        [sys.executable, "-c", WRITE, str(growing), libver],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        writer.stdout.readline()
        if libver == "earliest" and not open_for_writing(growing.stat()):
            writer.kill()
            pytest.skip("this kernel does not show the lock")
        report = rescan()
        assert reasons(report, folder) == {"growing.h5": "open for writing; scan again later"}
        assert report.registered == 1
        writer.stdin.close()
        writer.wait(timeout=20)
    report = rescan()
    assert (report.registered, report.failed) == (1, ())


def test_a_file_that_changes_while_it_is_read(
    folder: Path, rescan: Rescan, monkeypatch: pytest.MonkeyPatch, good: Path
) -> None:
    from nearfield.catalogue import _reading

    def slow(path: str) -> Any:
        found = reader.read_file(path)
        with good.open("ab") as file:
            file.write(b"more")
        return found

    monkeypatch.setattr(_reading, "read_file", slow)
    report = rescan()
    assert "changed while it was read" in reasons(report, folder)["good.h5"]
    monkeypatch.undo()
    assert rescan().registered == 1


def test_a_locks_file_that_is_not_there(good: Path, tmp_path: Path) -> None:
    assert not open_for_writing(good.stat(), tmp_path / "nope")
    odd = tmp_path / "locks"
    odd.write_text("1: -> nonsense\n\n2: FLOCK\n")
    assert not open_for_writing(good.stat(), odd)


def test_damaged_parts_are_told_and_the_rest_is_registered(
    folder: Path, rescan: Rescan, datasets: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nearfield.catalogue.metadata import walk

    real = walk.describe

    def broken(at: str, handle: Any) -> Any:
        if at.endswith("/time"):
            raise OSError("bad object header version number")
        return real(at, handle)

    monkeypatch.setattr(walk, "describe", broken)
    report = rescan()
    assert report.registered == 1
    assert reasons(report, folder) == {
        "good.h5": "/entry/data/time: cannot be read: bad object header version number"
    }
    assert datasets()[0].warnings == (report.failed[0].reason,)
    assert datasets()[0].title is not None


def test_without_h5py(folder: Path, rescan: Rescan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(BlockedError) as blocked:
        rescan()
    assert "extra 'hub'" in (blocked.value.hint or "")


def test_what_another_account_may_not_read(
    open_folder: Path, run: Run, nobody: int, store: CatalogueStore
) -> None:
    data = open_folder / "data"
    data.mkdir(mode=0o755)
    make_stack(data / "good.h5", frames=1).chmod(0o644)
    make_stack(data / "secret.h5", frames=1).chmod(0o600)
    (data / "closed").mkdir()
    make_stack(data / "closed/inner.h5", frames=1)
    (data / "closed").chmod(0o700)
    argv = ("catalogue", "scan", data, "--catalogue", open_folder / "c.sqlite", "--json")
    done = run(*argv, user=nobody)
    assert done.returncode == 1, done.stderr
    said = json.loads(done.stdout)
    assert said["registered"] == 1
    assert {f["path"]: f["reason"] for f in said["failed"]} == {
        str(data / "secret.h5"): "permission denied",
        str(data / "closed"): "folder not read: Permission denied",
    }
    # With the right given nothing else about the file has to change.
    (data / "secret.h5").chmod(0o644)
    (data / "closed").chmod(0o755)
    (data / "closed/inner.h5").chmod(0o644)
    done = run(*argv, user=nobody)
    assert (done.returncode, json.loads(done.stdout)["registered"]) == (0, 2)
    # A folder that cannot be listed hides its datasets; it does not lose them.
    (data / "closed").chmod(0o700)
    done = run(*argv, user=nobody)
    said = json.loads(done.stdout)
    assert (done.returncode, said["missing"], said["unchanged"]) == (1, 0, 2)


def test_the_scanned_folder_itself(store: CatalogueStore, folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert scan(store, link, Config()).registered == 1
    with store.reading() as connection:
        (text,) = connection.execute("SELECT document FROM record").fetchone()
    # Paths stay as the operator spells them: that is how the cluster knows them.
    assert Dataset.model_validate_json(text).files[0].path == str(link / "good.h5")
