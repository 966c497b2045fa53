"""What the record says about inputs: checksums, changes, the catalogue's warnings."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nearfield.api import plan_run
from nearfield.catalogue import CatalogueStore
from nearfield.cli import runs
from nearfield.datasets import Dataset
from nearfield.errors import UsageError
from nearfield.provenance.record import Record, read_record
from nearfield.templates.card import Card
from nearfield.templates.inputs import look_again, look_at, without_checksum
from nearfield.templates.runner import carry_out

Make = Callable[..., str]
CARD = Card(name="a", version="1.0", title="A")


def register(catalogue: Path, dataset: Dataset) -> None:
    store = CatalogueStore(catalogue, "embedded")
    store.register([dataset])
    store.close()


def test_a_checksum_is_believed_where_the_times_agree_exactly(raw: Dataset) -> None:
    (file,) = raw.files
    for off, sha256, changed in (
        (timedelta(0), file.sha256, False),
        (timedelta(microseconds=1), None, False),
        (timedelta(seconds=2), None, True),
    ):
        moved = file.model_copy(update={"mtime": file.mtime + off})
        (found,) = look_at(CARD, raw.model_copy(update={"files": (moved,)})).record.files
        assert (found.sha256, found.changed) == (sha256, changed)


def test_inputs_without_a_checksum_are_counted(raw: Dataset) -> None:
    given = look_at(CARD, raw).record
    assert without_checksum([given]) == ""
    bare = given.files[0].model_copy(update={"sha256": None})
    both = given.model_copy(update={"files": (*given.files, bare)})
    assert without_checksum([both]).startswith("Of the 2 input files, 1 has no checksum")


@pytest.mark.parametrize("how", ["replaced", "rewritten", "gone"])
def test_what_became_of_an_input(raw: Dataset, tmp_path: Path, how: str) -> None:
    given = look_at(CARD, raw)
    assert look_again(given) == (given.record, [])
    path = Path(raw.files[0].path)
    before, content = path.stat(), path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        if how == "replaced":
            (tmp_path / "new").write_bytes(content)
            (tmp_path / "new").replace(path)
        else:
            path.write_bytes(content[::-1])
        # Even where size and time are made those of before.
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after, (note,) = look_again(given)
    assert (after.files[0].changed, after.files[0].sha256) == (True, None)
    assert str(path) in note


def test_an_input_that_changes_during_the_run_is_told(
    make_template: Make, catalogue: Path, raw: Dataset, tmp_path: Path
) -> None:
    register(catalogue, raw.model_copy(update={"warnings": ("a dangling link",)}))
    template = make_template("open(data_files[0], 'ab').write(b'x')")
    plan = plan_run(template, "raw-1", out=tmp_path / "out", catalogue=catalogue)
    assert plan.notes == ("dataset raw-1: a dangling link",)
    record = carry_out(plan, lambda *at: None)
    assert record == read_record(tmp_path / "out")
    assert record.status == "completed"
    assert record.inputs[0].files[0].changed and record.inputs[0].files[0].sha256 is None
    assert record.notes[0] == plan.notes[0]
    assert "was changed or replaced while the run" in record.notes[1]
    assert "1 has no checksum" in record.completeness


def test_of_a_derived_dataset_the_hdf5_file_is_read(raw: Dataset, tmp_path: Path) -> None:
    files = []
    for name in ("a.ipynb", "b.NXS", "c.h5"):
        (tmp_path / name).write_bytes(b"x")
        files.append(raw.files[0].model_copy(update={"path": str(tmp_path / name)}))
    derived = raw.model_copy(
        update={
            "type": "derived", "run_id": "run-12345", "input_datasets": ("raw-0",),
            "files": tuple(file.model_copy(update={"role": "result"}) for file in files),
        }
    )  # fmt: skip
    assert look_at(CARD, derived).root == str(tmp_path / "b.NXS")
    with pytest.raises(UsageError, match=r"derived and has no HDF5 file.*\n.*raw-0"):
        look_at(CARD, derived.model_copy(update={"files": derived.files[:1]}))


@pytest.mark.parametrize(
    ("summary", "asked", "told"),
    [
        ({"array": "/a", "image_arrays": 3}, "", "array /a  (1 of 3 image arrays; choose another"),
        (
            {"array": "/a", "image_arrays": 3, "other_arrays": ["/b", "/c\x1b"]},
            "",
            "choose another with -p array=…)\n  /b\n  /c\\x1b\n",
        ),
        ({"array": "/a", "image_arrays": 3}, "/a", "array /a\n"),
        ({"array": "/a"}, "", "array /a\n"),
        ({"array": 7}, "", None),
        ({}, "", None),
    ],
)
def test_the_command_says_which_array_it_was(
    capsys: pytest.CaptureFixture[str], summary: dict[str, Any], asked: str, told: str | None
) -> None:
    template = {
        "name": "t", "version": "1", "title": "T",
        "notebook_sha256": "0" * 64, "card_sha256": "0" * 64,
    }  # fmt: skip
    record = Record.model_validate(
        {
            "run_id": "run-12345", "status": "completed", "template": template, "inputs": [],
            "parameters": {"array": asked}, "summary": summary, "folder": "/run",
            "notebook": "t.ipynb", "started": "2026-01-01T00:00:00Z", "agent": "ada", "host": "h",
            "nearfield": "0", "capture_layers": [], "completeness": "",
        }
    )  # fmt: skip
    runs._tell(record, None, quiet=False)
    out = capsys.readouterr().out
    assert told in out if told else "array" not in out
