"""Publishing again: what changed since is told, what was refused is described anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nearfield.catalogue import SqliteCatalogue
from nearfield.datasets import DerivedDataset
from nearfield.errors import (
    CatalogueUnavailableError,
    DatasetNotFoundError,
    DatasetNotPermittedError,
    NearfieldError,
)
from nearfield.provenance.record import read_record, write_record
from nearfield.publishing.publication import publish_run

Open = Callable[[], SqliteCatalogue]


async def test_what_changed_since_is_told(run_folder: Path, open_it: Open, tmp_path: Path) -> None:
    catalogue = open_it()
    first = await publish_run(run_folder, catalogue, target="t")
    again = await publish_run(run_folder, catalogue, target="t")
    assert (again.already, again.notes) == (True, ())
    shutil.copytree(run_folder, tmp_path / "copy")
    (moved,) = (await publish_run(tmp_path / "copy", catalogue, target="t")).notes
    assert f"has it in {run_folder}" in moved
    record = read_record(run_folder)
    write_record(run_folder, record.model_copy(update={"parameters": {}}))
    (edited,) = (await publish_run(run_folder, catalogue, target="t")).notes
    assert "record has changed" in edited
    write_record(run_folder, record)
    (run_folder / "plots/a.png").write_bytes(b"other")
    again = await publish_run(run_folder, catalogue, target="t")
    (changed,) = again.notes
    assert "plots/a.png: has changed" in changed
    assert again.already and again.pid == first.pid
    await catalogue.aclose()


def refusing(
    monkeypatch: pytest.MonkeyPatch, error: type[NearfieldError], *, after: bool = False
) -> None:
    real = SqliteCatalogue.derive

    async def derive(self: SqliteCatalogue, wanted: DerivedDataset) -> str:
        if after:
            await real(self, wanted)
        raise error("no")

    monkeypatch.setattr(SqliteCatalogue, "derive", derive)


@pytest.mark.parametrize("error", [DatasetNotFoundError, DatasetNotPermittedError])
async def test_what_was_refused_is_described_anew(
    run_folder: Path, open_it: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    error: type[NearfieldError],
) -> None:  # fmt: skip
    catalogue = open_it()
    with monkeypatch.context() as patch:
        refusing(patch, error)
        for title in ("One", "Two"):
            with pytest.raises(error):
                await publish_run(run_folder, catalogue, target="t", title=title)
    moved = Path(shutil.move(run_folder, tmp_path / "moved"))
    done = await publish_run(moved, catalogue, target="t", title="Three")
    assert (done.title, done.notes) == ("Three", ())
    found = await catalogue.get(done.pid)
    assert (found.title, found.source_folder) == ("Three", str(moved))
    names = [entry.name for entry in (moved / ".nearfield").iterdir()]
    assert not [name for name in names if name.startswith(".")]
    await catalogue.aclose()


async def test_without_an_answer_the_intent_stays(
    run_folder: Path, open_it: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken, but the answer was lost; a refusal after that proves nothing."""
    catalogue = open_it()
    for error, after in ((CatalogueUnavailableError, True), (DatasetNotPermittedError, False)):
        with monkeypatch.context() as patch:
            refusing(patch, error, after=after)
            with pytest.raises(error):
                await publish_run(run_folder, catalogue, target="t", title="One")
    done = await publish_run(run_folder, catalogue, target="t", title="Two")
    assert done.title == "One"
    assert "title stays 'One'" in done.notes[0]
    await catalogue.aclose()
