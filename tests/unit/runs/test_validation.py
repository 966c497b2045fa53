"""What is wrong with a request is said before anything is made or started."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nearfield
from nearfield.catalogue import CatalogueStore
from nearfield.datasets import Dataset
from nearfield.errors import (
    BlockedError,
    DataFileError,
    DatasetNotFoundError,
    ParameterError,
    UnknownNameError,
    UsageError,
)
from nearfield.provenance.record import new_run_id
from nearfield.templates.inputs import look_at
from nearfield.templates.stopping import Stop, Stopped

Make = Callable[..., str]


@pytest.fixture
def ask(
    make_template: Make, catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Asks for a run that must be refused, and checks that nothing was made."""
    from nearfield.templates import runner

    monkeypatch.delenv("NEARFIELD_RUN", raising=False)
    monkeypatch.setattr(runner, "execute", lambda *a: pytest.fail("something was started"))
    counts = {"count": {"type": "integer", "default": 1}}
    template = make_template("x = 1", properties=counts)

    def run(**change: Any) -> None:
        given: dict[str, Any] = {
            "template": template, "datasets": ["raw-1"], "out": tmp_path / "out",
            "catalogue": catalogue,
        }  # fmt: skip
        before = sorted(tmp_path.rglob("*"))
        try:
            nearfield.run(**given | change)
        finally:
            after = [p for p in sorted(tmp_path.rglob("*")) if "catalogue.sqlite" not in p.name]
            assert after == [p for p in before if "catalogue.sqlite" not in p.name]

    return run


def test_names_that_do_not_exist(ask: Callable[..., None]) -> None:
    with pytest.raises(UnknownNameError, match="frames-projection"):
        ask(template="frames-projektion")
    with pytest.raises(UnknownNameError, match="did you mean 'count'"):
        ask(parameters={"cuont": 1})
    with pytest.raises(DatasetNotFoundError, match="nope"):
        ask(datasets=["nope"])


def test_parameters_that_do_not_fit(ask: Callable[..., None]) -> None:
    with pytest.raises(ParameterError, match="count"):
        ask(parameters={"count": "x"})


def test_numbers_of_datasets(ask: Callable[..., None]) -> None:
    with pytest.raises(UsageError, match="takes 1 dataset, 0 given"):
        ask(datasets=[])
    with pytest.raises(UsageError, match="takes 1 dataset, 2 given"):
        ask(datasets=["raw-1", "raw-2"])
    with pytest.raises(UsageError, match="given twice"):
        ask(datasets=["raw-1", "raw-1"])


def test_a_dataset_that_the_template_does_not_fit(ask: Callable[..., None], tmp_path: Path) -> None:
    card = tmp_path / "templates/small/card.yaml"
    card.write_text(card.read_text() + "datasets: {array: {min_ndim: 5}}\n")
    with pytest.raises(UsageError, match="needs an array of 5 or more dimensions"):
        ask()


def test_a_kernel_that_is_not_there(ask: Callable[..., None], tmp_path: Path) -> None:
    folder = tmp_path / "templates/small"
    for name in ("card.yaml", "template.ipynb"):
        text = (folder / name).read_text().replace('"python3"', '"cobol"')
        (folder / name).write_text(text)
    (folder / "card.yaml").write_text(
        (folder / "card.yaml").read_text() + "environment: {kernel: cobol}\n"
    )
    with pytest.raises(UnknownNameError, match="unknown kernel 'cobol'"):
        ask()


def test_a_notebook_that_is_not_in_order(ask: Callable[..., None], tmp_path: Path) -> None:
    notebook = tmp_path / "templates/small/template.ipynb"
    notebook.write_text(notebook.read_text().replace("count = 1", "count = 2"))
    with pytest.raises(UsageError, match="the card's default is 1"):
        ask()


def test_without_papermill_it_says_how_to_get_it(
    ask: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "papermill", None)
    with pytest.raises(BlockedError, match="its extra 'batch'"):
        ask()


def test_a_folder_that_is_not_empty(ask: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("x")
    with pytest.raises(UsageError, match=r"is not empty: it holds 'mine\.txt'"):
        ask(out=tmp_path / "full")
    with pytest.raises(UsageError, match="is a file"):
        ask(out=tmp_path / "full/mine.txt")
    with pytest.raises(UsageError, match="is a file, or is below one"):
        ask(out=tmp_path / "full/mine.txt/below")


def example_record(folder: Path, run_id: str, status: str) -> None:
    private = folder / ".nearfield"
    private.mkdir(parents=True, exist_ok=True)
    template = {
        "name": "t", "version": "1", "title": "T",
        "notebook_sha256": "0" * 64, "card_sha256": "0" * 64,
    }  # fmt: skip
    record = {
        "format": "nearfield-record/1", "run_id": run_id, "status": status, "template": template,
        "inputs": [], "parameters": {}, "folder": str(folder), "notebook": "t.ipynb",
        "started": "2026-01-01T00:00:00Z", "agent": "ada", "host": "node1", "nearfield": "0",
        "capture_layers": [], "completeness": "",
    }  # fmt: skip
    (private / "record.json").write_text(json.dumps(record))


def test_a_previous_run_is_named(ask: Callable[..., None], tmp_path: Path) -> None:
    folder = tmp_path / "old"
    for status, words in (("running", "which is incomplete"), ("failed", r"\(failed, ")):
        run_id = new_run_id()
        example_record(folder, run_id, status)
        with pytest.raises(UsageError, match=f"{run_id}.*{words}"):
            ask(out=folder)
    (folder / ".nearfield/record.json").unlink()
    with pytest.raises(UsageError, match="cut off before it began"):
        ask(out=folder)


def test_a_folder_that_cannot_be_written(
    ask: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not by mode bits: the tests may run as root, whom they do not stop.
    real = os.access
    monkeypatch.setattr(
        os, "access", lambda path, *rest: Path(path) != tmp_path and real(path, *rest)
    )
    with pytest.raises(UsageError, match="is not writable by this account"):
        ask(out=tmp_path / "a/b/c")


def replace_file(catalogue: Path, raw: Dataset, path: Path) -> None:
    store = CatalogueStore(catalogue, "embedded")
    file = raw.files[0].model_copy(update={"path": str(path)})
    store.register([raw.model_copy(update={"files": (file,)})])
    store.close()


def test_files_that_cannot_be_read(
    ask: Callable[..., None], catalogue: Path, raw: Dataset, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    stub = tmp_path / "data/stub.h5"
    with stub.open("wb") as file:
        file.truncate(100_000)
    for path, words in (
        (tmp_path / "data/gone.h5", "is not there"),
        (tmp_path / "data", "not a regular file"),
        (stub, "it is on tape"),
    ):
        replace_file(catalogue, raw, path)
        with pytest.raises(DataFileError, match=words):
            ask()
    replace_file(catalogue, raw, Path(raw.files[0].path))

    real = os.open

    def refuse(path: Any, *args: Any, **kwargs: Any) -> int:
        if str(path).endswith("stack.h5"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DataFileError, match="this account cannot read it: Permission denied"):
        ask()


def test_a_file_that_changed_loses_its_checksum_and_is_told(raw: Dataset) -> None:
    from nearfield.templates.card import Card

    card = Card(name="a", version="1.0", title="A")
    (before,) = look_at(card, raw).record.files
    assert (before.sha256, before.changed) == (raw.files[0].sha256, False)
    with Path(raw.files[0].path).open("ab") as file:
        file.write(b"x")
    (after,) = look_at(card, raw).record.files
    assert (after.sha256, after.changed) == (None, True)
    assert after.size == raw.files[0].size + 1


def test_a_stop_before_the_kernel_is_up_is_not_forgotten() -> None:
    stop = Stop()
    stop.check()
    stop.request()
    with pytest.raises(Stopped):
        stop.check()
    # Our own group is never signalled, or this test would not come to its end.
    stop.kernel_started(os.getpgrp())
    stop.request()
    stop.kernel_ended()
