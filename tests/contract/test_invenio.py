"""The driver ``invenio`` against the suite that all drivers pass."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from nearfield.catalogue import Catalogue
from nearfield.catalogue.invenio._manifest import keys_of
from nearfield.datasets import DataFile, Dataset, DerivedDataset, Principal
from nearfield.testing.catalogue_contract import CatalogueContract
from sourcelab.invenio import PIDS, filled, held, seen_by
from sourcelab.renamed import Renamed


class TestInvenio(CatalogueContract):
    stable_pages = False
    ranks = False
    absent = PIDS.of("zzzzz-99999")

    @pytest.fixture(autouse=True)
    def _places(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.invenio, self.names = filled()

    def named(self, pid: str) -> str:
        return self.names.get(pid, pid)

    def held(self, dataset: Dataset) -> Dataset:
        return held(dataset, self.names)

    def listed(self, dataset: Dataset) -> Dataset:
        # A page tells the size of all files, not which they are.
        found = self.held(dataset)
        scientific = {"publication_date": found.scientific["publication_date"]}
        return found.model_copy(update={"files": (), "scientific": scientific})

    def sees(self, user: Principal, dataset: Dataset) -> bool:
        # Grants are not told to everybody: records name their owner alone.
        return dataset.access.visible_to(user)

    def prepared(self, wanted: DerivedDataset) -> DerivedDataset:
        """The files of a result, with the bytes that it says."""
        files = []
        for file in wanted.files:
            path = Path(f"{self.folder}{file.path}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"r" * file.size)
            said = {"path": str(path), "sha256": hashlib.sha256(b"r" * file.size).hexdigest()}
            files.append(file.model_copy(update=said))
        folder = f"{self.folder}{wanted.source_folder}"
        return wanted.model_copy(update={"files": tuple(files), "source_folder": folder})

    def kept(self, files: tuple[DataFile, ...]) -> tuple[DataFile, ...]:
        """Under their names in the repository, with its address and time."""
        folder = f"{self.folder}/home/alice/results"
        keys = {file.path: key for key, file in keys_of(files, folder).items()}
        (record,) = (
            one for one in self.invenio.records.values() if one.files.keys() >= set(keys.values())
        )
        return tuple(
            DataFile(
                path=f"/{keys[file.path]}",
                size=file.size,
                mtime=record.files[keys[file.path]]["updated"],
                sha256=file.sha256,
                role="result",
                url=f"{self.invenio.url}/api/records/{record.id}/files/"
                f"{quote(keys[file.path], safe='')}/content",
            )
            for file in files
        )

    @pytest.fixture
    async def as_user(self) -> AsyncIterator[Callable[[Principal], Catalogue]]:
        made: list[Renamed] = []

        def make(user: Principal) -> Catalogue:
            made.append(seen_by(user, self.invenio, self.names))
            return made[-1]

        yield make
        for one in made:
            await one.aclose()
