"""``nearfield catalogue``: exit codes, JSON, and what people see."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nearfield
from nearfield.cli import run_command
from nearfield.cli._output import one_line
from nearfield.datasets import DataFile, Dataset
from nearfield.showing.facts import size_of
from nearfield.testing.catalogue_contract import a_result
from nearfield.testing.synthetic import DAY_ONE, make_sample_data, make_stack

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Runs ``nearfield catalogue …`` on a file of its own; gives exit code, output, errors."""
    monkeypatch.setenv("NEARFIELD_HOME", str(tmp_path / "home"))

    def call(*argv: object) -> tuple[int, str, str]:
        code = run_command(
            ["catalogue", *map(str, argv), "--catalogue", str(tmp_path / "c.sqlite")]
        )
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_scan_search_show(command: Command, folder: Path) -> None:
    make_sample_data(folder)
    code, out, err = command("scan", folder)
    assert (code, err) == (0, "")
    assert "3 registered" in out
    code, out, _ = command("search", "detector", "stack", "--json")
    found = json.loads(out)
    assert (code, found["total"]) == (0, 1)
    (dataset,) = found["datasets"]
    assert Dataset.model_validate(dataset).pid == dataset["pid"]
    code, out, _ = command("show", dataset["pid"], "--json")
    # Of one dataset the files are looked for.
    assert (code, json.loads(out)) == (0, {**dataset, "availability": "online"})
    code, out, _ = command("search", "ring")
    assert dataset["pid"] in out
    code, out, _ = command("show", dataset["pid"])
    assert "40 × 128 × 128  uint16 in counts  (signal)" in out  # noqa: RUF001
    assert str(folder / "synthetic_saxs_stack.h5") in out


def test_scan_json_and_exit_code(command: Command, folder: Path) -> None:
    make_stack(folder / "good.h5", frames=1)
    (folder / "bad\nname.h5").write_text("no")
    (folder / "readme").write_text("no")
    code, out, _ = command("scan", folder, "--json")
    assert code == 1
    assert json.loads(out) == {
        "registered": 1,
        "unchanged": 0,
        "updated": 0,
        "missing": 0,
        "ignored": 1,
        "failed": [{"path": str(folder / "bad\nname.h5"), "reason": "not an HDF5 file"}],
    }
    code, out, err = command("scan", folder)
    assert code == 1
    assert r"bad\nname.h5: not an HDF5 file" in err
    (folder / "bad\nname.h5").unlink()
    (folder / "good.h5").unlink()
    code, out, err = command("scan", folder)
    assert code == 0
    assert "missing" in err


def test_who_may_see_it(command: Command, folder: Path) -> None:
    make_stack(folder / "a.h5", frames=1)
    command("scan", folder, "--owner", "ada", "--group", "p08", "--public")
    _, out, _ = command("search", "--json")
    (dataset,) = json.loads(out)["datasets"]
    assert dataset["access"] == {
        "owner": "ada",
        "owner_group": "p08",
        "access_groups": [],
        "embargo_until": None,
        "public": True,
    }


def test_filters(command: Command, folder: Path) -> None:
    make_sample_data(folder)
    command("scan", folder)
    for argv, total in (
        (["--technique", "NXsas"], 1),
        (["--instrument", "synthetic"], 2),
        (["--type", "derived"], 0),
        (["--limit", "1"], 3),
        (["synthetic", "--technique", "openPMD"], 1),
    ):
        _, out, _ = command("search", *argv, "--json")
        assert json.loads(out)["total"] == total
    _, out, err = command("search", "--limit", "1")
    assert "1 of 3" in err
    assert command("search", "--type", "both")[0] == 2
    assert command("search", "--limit", "0")[0] == 2


def test_nothing_found_says_where_it_looked(command: Command, folder: Path, tmp_path: Path) -> None:
    make_stack(folder / "a.h5", frames=1)
    command("scan", folder)
    code, out, _ = command("search", "zzz")
    assert code == 0
    assert out == f"no dataset matches 'zzz'; 1 dataset is in {tmp_path / 'c.sqlite'}\n"


def test_nothing_found_names_values_near_to_those_asked_for(
    command: Command, folder: Path, tmp_path: Path
) -> None:
    make_sample_data(folder)
    command("scan", folder)
    code, out, err = command("search", "format:NeXsu")
    assert (code, err) == (0, "no format NeXsu here; near: NeXus\n")
    assert "no dataset matches" in out
    said = json.loads(command("search", "format:NeXsu", "--json")[1])
    assert said["near"] == [
        {
            "field": "format",
            "value": "NeXsu",
            "near": [{"value": "NeXus", "query": "format:=NeXus"}],
        }
    ]
    found = nearfield.search("format:NeXsu", catalogue=tmp_path / "c.sqlite")
    assert repr(found) == "0 of 0 datasets; no format NeXsu here; near: NeXus"


def test_errors_and_their_codes(command: Command, folder: Path, tmp_path: Path) -> None:
    code, _, err = command("search", "x")
    assert code == 1
    assert "there is no catalogue" in err
    code, _, err = command("scan", folder / "nope")
    assert code == 2
    assert not (tmp_path / "c.sqlite").exists()
    command("scan", folder)
    code, _, err = command("show", "no-such-pid")
    assert code == 1
    assert "no-such-pid" in err
    assert "catalogue search" in err


def test_a_derived_dataset_shows_inputs_and_checksums(
    command: Command, folder: Path, tmp_path: Path
) -> None:
    from nearfield.catalogue import open_catalogue
    from nearfield.config import Config

    make_stack(folder / "a.h5", frames=1)
    command("scan", folder)
    raw = json.loads(command("search", "--json")[1])["datasets"][0]

    async def derive() -> str:
        catalogue = open_catalogue(Config(), file=tmp_path / "c.sqlite")
        pid = await catalogue.derive(a_result(input_datasets=(raw["pid"],)))
        await catalogue.aclose()
        return pid

    pid = asyncio.run(derive())
    shown: dict[str, Any] = json.loads(command("show", pid, "--json")[1])
    assert shown["input_datasets"] == [raw["pid"]]
    assert shown["files"][0]["sha256"] == "0" * 64
    assert shown["files"][0]["role"] == "result"
    _, out, _ = command("show", pid)
    assert raw["pid"] in out
    assert "sha256:" + "0" * 64 in out


def test_a_terminal_obeys_nothing_that_a_file_says(command: Command, folder: Path) -> None:
    import h5py

    with h5py.File(folder / "a\x1b[31m.h5", "w") as file:
        file.attrs["title"] = "[bold]red[/bold] \x1b]0;owned\x07 title"
        file["x"] = [1, 2]
    command("scan", folder)
    _, out, _ = command("search", "--json")
    pid = json.loads(out)["datasets"][0]["pid"]
    for argv in (("search",), ("show", pid)):
        _, out, _ = command(*argv)
        assert "\x1b" not in out
        assert "\x07" not in out
        assert "[bold]red[/bold]" in out
    assert one_line("a\nb\x1b") == r"a\nb\x1b"


def test_a_service_without_a_token(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
    config = tmp_path / "n.yaml"
    config.write_text("catalogue: {driver: service, url: 'http://127.0.0.1:9/x'}\n")
    assert run_command(["--config", str(config), "catalogue", "search", "x"]) == 3
    assert "JUPYTERHUB_API_TOKEN" in capsys.readouterr().err


def test_the_command_line_imports_little() -> None:
    code = "import sys, nearfield.cli.catalogue; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"h5py", "numpy", "httpx", "pydantic", "sqlite3", "rich", "starlette"}


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1_944_569, "1.9 MB"), (3 * 10**15, "3.0 PB")]
)
def test_sizes(size: int, text: str) -> None:
    assert size_of(size) == text


def test_a_record_of_many_files_can_be_shown(command: Command, tmp_path: Path) -> None:
    from nearfield.catalogue import CatalogueStore
    from nearfield.testing.synthetic import synthetic_dataset

    files = tuple(
        DataFile(path=f"/d/{n}.h5", size=1, mtime=DAY_ONE, role="linked") for n in range(3000)
    )
    store = CatalogueStore(tmp_path / "c.sqlite")
    store.register([synthetic_dataset(files=files)])
    store.close()
    assert command("show", "synthetic-00000")[1].count("\n") > 3000


@pytest.mark.parametrize("how", [("--source", "other"), ("source:other",)])
def test_another_source_is_not_this_one(
    command: Command, folder: Path, how: tuple[str, ...]
) -> None:
    make_sample_data(folder)
    command("scan", folder)
    for json_too in ((), ("--json",)):
        code, out, err = command("search", *how, *json_too)
        assert (code, out) == (2, "")
        assert "unknown source 'other'" in err
    assert command("search", "--source", "embedded")[1].count("\n") == 4
