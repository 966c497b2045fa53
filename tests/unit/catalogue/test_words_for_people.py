"""What the command line says after a scan and about datasets that say little of themselves."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from nearfield.catalogue import SqliteCatalogue
from nearfield.cli import run_command
from nearfield.cli._output import table
from nearfield.datasets import DataFile, Dataset, Principal
from nearfield.provenance.record import Input
from nearfield.querying import Query
from nearfield.testing.synthetic import DAY_ONE

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Say:
    monkeypatch.setenv("NEARFIELD_HOME", str(tmp_path / "home"))

    def call(*argv: object) -> tuple[int, str, str]:
        code = run_command([str(word) for word in argv])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


@pytest.fixture
def untitled(folder: Path) -> Path:
    with h5py.File(folder / "untitled.h5", "w") as file:
        file["x"] = [1, 2]
    return folder


def test_a_scan_says_what_to_type_next(say: Say, untitled: Path, tmp_path: Path) -> None:
    (untitled / "readme").write_text("no data")
    file = tmp_path / "my own.sqlite"
    _, out, _ = say("catalogue", "scan", untitled, "--catalogue", file)
    assert "1 registered, 1 other file\n" in out
    assert " 0 " not in out
    typed = next(line for line in out.splitlines() if line.startswith("their PIDs:"))
    words = shlex.split(typed.removeprefix("their PIDs:"))
    assert words[0] == "nearfield"
    assert "untitled.h5" in say(*words[1:])[1]


def test_a_scan_that_finds_nothing_says_so(say: Say, folder: Path, tmp_path: Path) -> None:
    (folder / "a.csv").write_text("1,2")
    code, out, _ = say("catalogue", "scan", folder, "--catalogue", tmp_path / "c.sqlite")
    assert code == 0
    assert f"no dataset found in {folder}: 1 other file\n" in out
    assert "NeXus, openPMD" in out and ".nxs" in out
    assert "their PIDs" not in out


def test_the_hint_to_search_names_the_same_catalogue(
    say: Say, untitled: Path, tmp_path: Path
) -> None:
    file = tmp_path / "c.sqlite"
    say("catalogue", "scan", untitled, "--catalogue", file)
    run = ("run", "frames-projection", "--out", tmp_path / "out", "--dataset", "nope")
    for argv in (("catalogue", "show", "nope"), run):
        code, _, err = say(*argv, "--catalogue", file)
        assert code == 1
        assert f"search with: nearfield catalogue search TEXT --catalogue {file}" in err


async def test_without_a_title_it_is_the_name_of_the_file_everywhere(
    say: Say, untitled: Path, tmp_path: Path
) -> None:
    file = tmp_path / "c.sqlite"
    say("catalogue", "scan", untitled, "--catalogue", file)
    catalogue = SqliteCatalogue.open(file, "embedded", Principal(name="root", admin=True))
    (listed,) = (await catalogue.summaries(Query())).datasets
    found = await catalogue.get(listed.pid)
    await catalogue.aclose()
    assert (found.title, found.name, listed.title) == (None, "untitled.h5", "untitled.h5")


def test_the_name_of_a_dataset() -> None:
    linked = DataFile(path="/a/b.h5", size=1, mtime=DAY_ONE, role="linked")
    root = DataFile(path="/a/root.h5", size=1, mtime=DAY_ONE)
    assert Dataset(pid="p", title="T", files=(root,)).name == "T"
    assert Dataset(pid="p", files=(linked, root)).name == "root.h5"
    assert Dataset(pid="p").name == "p"
    kept = [{"path": f.path, "role": f.role, "size": 1, "mtime": f.mtime} for f in (linked, root)]
    assert Input.model_validate({"pid": "p", "files": kept}).name == "root.h5"
    assert Input(pid="p").name == "p"


def test_a_narrow_terminal_cuts_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    pid, path = "9f6c52d1-0000-4000-8000-00000000cafe", "/gpfs/" + "0123456789" * 12
    table(["PID", "title", "path"], [[pid, "a title of many words " * 4, path]])
    out = capsys.readouterr().out
    assert pid in out
    assert "…" not in out
    lines = out.splitlines()[1:]
    assert max(map(len, lines)) <= 80
    assert path in "".join(line.split()[-1] for line in lines), "folded, and nothing left out"
