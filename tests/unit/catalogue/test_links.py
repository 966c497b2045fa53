"""What a session is told of a dataset, and what an old record cannot make it say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nearfield.catalogue import CatalogueStore, SqliteCatalogue, scan
from nearfield.config import Config
from nearfield.datasets import DataFile, Dataset, Principal, links_of, path_problem
from nearfield.querying import Query
from nearfield.sample_data import make_stack
from nearfield.testing.synthetic import DAY_ONE, synthetic_dataset


def record(*paths: str, root: int = 0, **fields: Any) -> Dataset:
    files = tuple(
        DataFile(path=path, size=1, mtime=DAY_ONE, role="root" if number == root else "linked")
        for number, path in enumerate(paths)
    )
    return synthetic_dataset(files=files, **fields)


def test_the_root_comes_first_and_files_elsewhere_are_left_out() -> None:
    dataset = record("/d/a/1.h5", "/d/master.h5", "/e/2.h5", "/d2/3.h5", "/d/b.h5", root=1)
    found = links_of(dataset)
    assert found.paths == ("/d/master.h5", "/d/a/1.h5", "/d/b.h5")
    assert found.root == "/d/master.h5"
    assert found.slug == dataset.slug


@pytest.mark.parametrize(
    "bad", ["/d/../etc/passwd", "/d//x", "/d/./x", "/d/x\0", "/d/", "/d/x/", "/d/" + "x" * 5000]
)
def test_paths_that_are_not_normal_are_left_out(bad: str) -> None:
    assert links_of(record("/d/m.h5", bad, "/d/m.h5")).paths == ("/d/m.h5",)
    assert links_of(record(bad, "/d/m.h5")).paths == ()


def test_no_more_than_a_thousand() -> None:
    found = links_of(record(*(f"/d/{n}.h5" for n in range(5000)), title="x" * 9000))
    assert len(found.paths) == 1000
    assert len(found.title or "") == 1000


def test_there_may_be_nothing_to_link() -> None:
    assert links_of(synthetic_dataset(files=())).paths == ()
    assert links_of(synthetic_dataset(files=())).root is None
    assert links_of(record("/")).paths == ()
    assert links_of(record("/m.h5", "/x/y.h5")).paths == ("/m.h5", "/x/y.h5")


async def test_an_old_record_does_not_keep_the_catalogue_from_answering(
    store: CatalogueStore,
) -> None:
    store.register([record("../../etc/passwd", "//x"), synthetic_dataset(1)])
    catalogue = SqliteCatalogue(store, Principal(name="ada"))
    assert (await catalogue.search(Query())).total == 2
    assert (await catalogue.links("synthetic-00000")).paths == ()


async def test_what_a_scan_records_is_normal(
    store: CatalogueStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data/sub").mkdir(parents=True)
    make_stack(tmp_path / "data/sub/s.h5")
    monkeypatch.chdir(tmp_path / "data")
    for spelled in ("/" + str(tmp_path / "data"), "./sub/../", f"{tmp_path}//data/."):
        # abspath leaves two slashes at the beginning as they are; a Path does so, too.
        assert scan(store, Path(spelled), Config()).failed == ()
    page = await SqliteCatalogue(store, Principal(name="a", admin=True)).search(Query())
    paths = [file.path for dataset in page.datasets for file in dataset.files]
    assert paths == [str(tmp_path / "data/sub/s.h5")]
    assert [path_problem(path) for path in paths] == [None]
