"""A run folder as a completed run leaves it, and a catalogue that has its input."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from finished_run import make_run
from nearfield.catalogue import CatalogueStore, SqliteCatalogue
from nearfield.datasets import Access, DataFile, Dataset, Principal
from nearfield.provenance.record import Record


@pytest.fixture
def catalogue_file(tmp_path: Path) -> Path:
    """An embedded catalogue with the dataset ``raw-1``."""
    file = tmp_path / "catalogue.sqlite"
    store = CatalogueStore(file, "test")
    store.register(
        [
            Dataset(
                pid="raw-1",
                title="Raw",
                access=Access(public=True),
                files=(DataFile(path="/data/raw.h5", size=3, mtime=datetime.now(UTC)),),
            )
        ]
    )
    store.close()
    return file


@pytest.fixture
def open_it(catalogue_file: Path) -> Callable[[], SqliteCatalogue]:
    """Opens that catalogue."""
    return lambda: SqliteCatalogue.open(catalogue_file, "test", Principal(name="ada"), create=False)


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A completed run."""
    folder = tmp_path / "run"
    make_run(folder)
    return folder


@pytest.fixture
def new_run() -> Callable[..., Record]:
    """Makes a run folder with a record of one's own."""
    return make_run
