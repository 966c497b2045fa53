"""Publishing a run: what is sent, what is refused, and doing it again."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nearfield.catalogue import (
    Capabilities,
    FederatedCatalogue,
    FederatedSource,
    SqliteCatalogue,
)
from nearfield.datasets import DataFile
from nearfield.errors import CatalogueError, PublishError, SourceLoginError
from nearfield.provenance.record import InputFile, Record, read_record, write_record
from nearfield.publishing.publication import publish_run
from nearfield.querying import Query

Open = Callable[[], SqliteCatalogue]


class ReadOnly(SqliteCatalogue):
    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(derive=False)


def relative(files: tuple[DataFile, ...], folder: Path) -> dict[str, DataFile]:
    return {str(Path(file.path).relative_to(folder)): file for file in files}


def restore(backup: Path, file: Path) -> None:
    """Put the backup in place of the SQLite file and of what SQLite keeps beside it."""
    for old in file.parent.glob(f"{file.name}*"):
        old.unlink()
    shutil.copy(backup, file)


async def derived(catalogue: SqliteCatalogue) -> list[str]:
    page = await catalogue.search(Query(type="derived"))
    return [dataset.pid for dataset in page.datasets]


async def test_a_home_that_could_not_be_opened_says_why(run_folder: Path, open_it: Open) -> None:
    missing = SourceLoginError("home: no token", hint="log in again")
    other = open_it()
    other.__class__ = ReadOnly
    home = FederatedSource("home", None, problem=missing)
    both = FederatedCatalogue([home, FederatedSource("other", other)])
    with pytest.raises(SourceLoginError, match="home: no token"):
        await publish_run(run_folder, both, target="t")
    await both.aclose()


async def test_what_the_catalogue_gets(run_folder: Path, open_it: Open) -> None:
    record, catalogue = read_record(run_folder), open_it()
    done = await publish_run(run_folder, catalogue, target="t")
    found = await catalogue.get(done.pid)
    files = relative(await catalogue.files(done.pid), run_folder)
    await catalogue.aclose()
    assert not done.already
    assert (found.type, found.run_id, found.input_datasets) == (
        "derived",
        record.run_id,
        ("raw-1",),
    )
    assert found.title == "A template: Raw"
    assert found.job_parameters == {"roi": [1, 2]}
    assert found.scientific["summary"] == {"total": 7}
    assert found.techniques == ("NXsas",)
    assert found.used_software == (
        "nearfield@0.1", "t@1.2+git." + "c" * 40, "python@3.11.2", "image@sha256:ab",
    )  # fmt: skip
    assert set(files) == {"t.ipynb", "plots/a.png", ".nearfield/record.json"}
    for path, file in files.items():
        assert file.sha256 == hashlib.sha256((run_folder / path).read_bytes()).hexdigest()
        assert file.role == "result"


async def test_an_untitled_input_is_called_by_its_file(run_folder: Path, open_it: Open) -> None:
    record, catalogue = read_record(run_folder), open_it()
    (given,) = record.inputs
    file = InputFile(path="/data/scan_7.h5", role="root", size=3, mtime=datetime.now(UTC))
    untitled = given.model_copy(update={"title": None, "files": (file,)})
    write_record(run_folder, record.model_copy(update={"inputs": (untitled,)}))
    done = await publish_run(run_folder, catalogue, target="t")
    await catalogue.aclose()
    assert done.title == "A template: scan_7.h5"


async def test_again_is_the_same_dataset(run_folder: Path, open_it: Open) -> None:
    catalogue = open_it()
    first = await publish_run(run_folder, catalogue, target="t", title="One")
    again = await publish_run(run_folder, catalogue, target="t", title="Two")
    assert again.already and again.pid == first.pid and again.title == "One"
    assert "title stays 'One'" in again.notes[0]
    assert await derived(catalogue) == [first.pid]
    await catalogue.aclose()


async def test_another_catalogue_is_another_publication(
    run_folder: Path, open_it: Open, catalogue_file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.sqlite"
    shutil.copy(catalogue_file, other)
    here = open_it()
    await publish_run(run_folder, here, target=str(catalogue_file))
    await here.aclose()
    there = SqliteCatalogue.open(other, "test", here.principal)
    done = await publish_run(run_folder, there, target=str(other))
    assert not done.already
    assert await derived(there) == [done.pid]
    await there.aclose()


async def test_a_catalogue_that_lost_the_dataset_gets_it_back(
    run_folder: Path, open_it: Open, catalogue_file: Path, tmp_path: Path
) -> None:
    backup = tmp_path / "backup"
    shutil.copy(catalogue_file, backup)
    catalogue = open_it()
    first = await publish_run(run_folder, catalogue, target="t")
    await catalogue.aclose()
    restore(backup, catalogue_file)
    restored = open_it()
    again = await publish_run(run_folder, restored, target="t")
    assert not again.already and again.pid == first.pid
    assert await derived(restored) == [first.pid]
    await restored.aclose()


@pytest.mark.parametrize("status", ["running", "failed", "aborted"])
async def test_only_a_completed_run(
    tmp_path: Path, open_it: Open, new_run: Callable[..., Record], status: str
) -> None:
    new_run(tmp_path / "r", status=status)
    catalogue = open_it()
    with pytest.raises(PublishError, match=f"is {status}"):
        await publish_run(tmp_path / "r", catalogue, target="t")
    assert await derived(catalogue) == []
    await catalogue.aclose()


async def test_a_changed_or_missing_file_is_named(run_folder: Path, open_it: Open) -> None:
    (run_folder / "plots/a.png").write_bytes(b"PNG")
    (run_folder / "t.ipynb").unlink()
    catalogue = open_it()
    with pytest.raises(PublishError) as caught:
        await publish_run(run_folder, catalogue, target="t")
    assert "plots/a.png: has changed" in str(caught.value)
    assert "t.ipynb: is missing" in str(caught.value)
    assert await derived(catalogue) == []
    await catalogue.aclose()


async def test_a_link_in_place_of_an_output_is_not_followed(
    run_folder: Path, open_it: Open, tmp_path: Path
) -> None:
    (run_folder / "plots/a.png").rename(tmp_path / "a.png")
    (run_folder / "plots/a.png").symlink_to(tmp_path / "a.png")
    catalogue = open_it()
    with pytest.raises(PublishError, match=r"plots/a\.png"):
        await publish_run(run_folder, catalogue, target="t")
    await catalogue.aclose()


async def test_a_file_that_is_not_of_the_run_is_not_published(
    run_folder: Path, open_it: Open
) -> None:
    (run_folder / "notes.txt").write_text("mine")
    catalogue = open_it()
    done = await publish_run(run_folder, catalogue, target="t")
    assert "notes.txt" in done.notes[0]
    files = await catalogue.files(done.pid)
    assert not [file for file in files if file.path.endswith("notes.txt")]
    await catalogue.aclose()


async def test_a_copy_of_a_folder_that_is_being_published_is_refused(
    run_folder: Path, open_it: Open, tmp_path: Path
) -> None:
    catalogue = open_it()

    def cut(step: str) -> None:
        if step == "claimed":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await publish_run(run_folder, catalogue, target="t", on_step=cut)
    shutil.copytree(run_folder, tmp_path / "copy")
    with pytest.raises(PublishError, match="is being published from"):
        await publish_run(tmp_path / "copy", catalogue, target="t")
    await catalogue.aclose()


async def test_a_copy_published_after_the_original_is_refused_by_the_catalogue(
    run_folder: Path, open_it: Open, tmp_path: Path
) -> None:
    shutil.copytree(run_folder, tmp_path / "copy")
    catalogue = open_it()
    await publish_run(run_folder, catalogue, target="t")
    with pytest.raises(CatalogueError):
        await publish_run(tmp_path / "copy", catalogue, target="t")
    assert len(await derived(catalogue)) == 1
    await catalogue.aclose()


async def test_two_publishers_at_once(run_folder: Path, open_it: Open) -> None:
    catalogues = [open_it() for _ in range(6)]
    done = await asyncio.gather(
        *(
            publish_run(run_folder, catalogue, target="t", title=f"Title {number}")
            for number, catalogue in enumerate(catalogues)
        )
    )
    assert len({one.pid for one in done}) == 1
    assert len({one.title for one in done}) == 1
    assert await derived(catalogues[0]) == [done[0].pid]
    for catalogue in catalogues:
        await catalogue.aclose()
    left = sorted(entry.name for entry in (run_folder / ".nearfield").iterdir())
    assert [name for name in left if name.startswith(".")] == []


async def test_a_catalogue_that_cannot_derive(run_folder: Path, open_it: Open) -> None:
    catalogue = open_it()
    catalogue.__class__ = ReadOnly
    with pytest.raises(PublishError, match="cannot create"):
        await publish_run(run_folder, catalogue, target="t")
    await catalogue.aclose()


async def test_a_folder_that_cannot_be_written(
    run_folder: Path, open_it: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, *args: object, **kwargs: object) -> None:
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    catalogue = open_it()
    with pytest.raises(PublishError, match="Read-only file system"):
        await publish_run(run_folder, catalogue, target="t")
    assert await derived(catalogue) == []
    await catalogue.aclose()


@pytest.mark.parametrize(
    ("title", "changes"),
    [("x" * 1001, {}), (None, {"parameters": {"roi": "x" * 300_000}})],
    ids=["title", "parameters"],
)
async def test_what_no_catalogue_takes_is_refused_in_words(
    tmp_path: Path,
    open_it: Open,
    new_run: Callable[..., Record],
    title: str | None,
    changes: dict[str, object],
) -> None:
    folder, catalogue = tmp_path / "too-much", open_it()
    new_run(folder, **changes)
    with pytest.raises(PublishError, match=r"title|job_parameters") as error:
        await publish_run(folder, catalogue, target="t", title=title)
    assert len(str(error.value)) < 2000, "the value itself is not repeated"
    assert await derived(catalogue) == []
    await catalogue.aclose()


async def test_a_long_title_made_by_us_is_cut(
    tmp_path: Path, open_it: Open, new_run: Callable[..., Record]
) -> None:
    folder, catalogue = tmp_path / "long", open_it()
    new_run(folder, inputs=[{"pid": "raw-1", "title": "R" * 1000}])
    done = await publish_run(folder, catalogue, target="t")
    assert len((await catalogue.get(done.pid)).title or "") == 1000
    await catalogue.aclose()
