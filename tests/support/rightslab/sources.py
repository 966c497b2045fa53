"""One server of each kind with the suite's datasets, whose files are there to be looked into."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
from starlette.types import ASGIApp

from asgi import in_thread, serving
from asgi.service import running
from asgi.transport import over
from nearfield.catalogue import CatalogueStore
from nearfield.catalogue.invenio._rdm_records import Pids
from nearfield.catalogue.service import make_app
from nearfield.config.serving import ServeConfig
from nearfield.datasets import ArrayInfo, DataFile, Dataset
from nearfield.testing.catalogue_contract import PEOPLE, SEED
from nearfield.testing.fake_invenio_legacy import FakeLegacyInvenio
from nearfield.testing.synthetic import DAY_ONE
from sourcelab import icat, invenio, scicat


@dataclass
class Source:
    """A running one. ``names``: what it calls the suite's datasets."""

    settings: dict[str, Any]
    names: Mapping[str, str]
    absent: str
    """A PID that it could have given, and has not."""
    anonymous: dict[str, Any] = field(default_factory=dict)
    """Settings of somebody without an account, where they differ."""
    opens_files: bool = True
    """False: its files are fetched from it, none is on a storage here."""
    store: CatalogueStore | None = None

    def back(self, pid: str) -> str:
        """The suite's name of one of its datasets."""
        return {given: name for name, given in self.names.items()}[pid]


def on_disk(folder: Path) -> tuple[Dataset, ...]:
    """The suite's datasets, each with a file of its own that says its number."""
    found = []
    for number, dataset in enumerate(SEED):
        path = folder / f"rights_{number}.h5"
        with h5py.File(path, "w") as file:
            file["number"] = number
            file["curve"] = [0.0, 1.0, float(number)]
        said = path.stat()
        mtime = datetime.fromtimestamp(said.st_mtime, UTC)
        files = (DataFile(path=str(path), size=said.st_size, mtime=mtime),)
        arrays = (ArrayInfo(path="/curve", shape=(3,), dtype="float64", signal=True),)
        found.append(
            dataset.model_copy(
                update={
                    "files": files, "arrays": arrays, "size": said.st_size,
                    "source_folder": str(folder), "storage": None, "availability": None,
                }
            )
        )  # fmt: skip
    return tuple(found)


def _service(stack: ExitStack, folder: Path, datasets: Sequence[Dataset]) -> Source:
    store = CatalogueStore(folder / "far.sqlite", "far")
    stack.callback(store.close)
    store.register(datasets)
    url = stack.enter_context(in_thread(lambda: running(store)))
    return Source({"driver": "service", "url": url}, _own(datasets), "absent-404", store=store)


def _panosc(stack: ExitStack, folder: Path, datasets: Sequence[Dataset]) -> Source:
    store = CatalogueStore(folder / "portal.sqlite", "portal")
    stack.callback(store.close)
    store.register(datasets)
    app = make_app(store, None, "/s/", serve=ServeConfig(public=("panosc",)))
    url = stack.enter_context(in_thread(lambda: serving(app)))
    settings = {"driver": "panosc", "url": f"{url}/s/panosc/api"}
    return Source(settings, _own(datasets), "absent-404")


def _scicat(stack: ExitStack, folder: Path, datasets: Sequence[Dataset]) -> Source:
    url = _at(stack, over(scicat.checked(scicat.filled(datasets))))
    return Source({"driver": "scicat", "url": url}, _own(datasets), "absent-404")


def _icat(stack: ExitStack, folder: Path, datasets: Sequence[Dataset]) -> Source:
    fake, names = icat.filled(datasets)
    said = icat.settings().model_dump(include={"driver", "facility", "authenticator", "write"})
    settings = {**said, "url": _at(stack, over(fake.transport))}
    return Source(settings, names, icat.PIDS.of(404404), anonymous={"authenticator": "anon"})


def _invenio(stack: ExitStack, folder: Path, datasets: Sequence[Dataset]) -> Source:
    fake, _ = invenio.filled(())
    url = fake.url = _at(stack, over(fake.transport))
    names = {dataset.pid: invenio.put(fake, dataset) for dataset in datasets}
    absent = Pids(url, "records").of("zzzzz-99999")
    return Source({"driver": "invenio", "url": url}, names, absent, opens_files=False)


def _legacy(stack: ExitStack, folder: Path, datasets: Sequence[Dataset]) -> Source:
    tokens = {f"token-of-{user.name}": user.name for user in PEOPLE.values() if user.name}
    fake = FakeLegacyInvenio(tokens=tokens)
    url = fake.url = _at(stack, over(fake.transport))
    pids, names = Pids(url, "record"), {}
    for dataset in datasets:
        record = fake.put(
            dataset.access.owner or "nobody",
            {
                "upload_type": "dataset",
                "title": dataset.title or dataset.pid,
                "description": dataset.description or "none",
                "creators": [{"name": "Example"}],
                "publication_date": "2024-05-01",
                **_right(dataset),
            },
            created=DAY_ONE,
            files={"a.h5": b"raw"},
        )
        names[dataset.pid] = pids.of(str(record.id))
    settings = {"driver": "invenio", "api": "legacy", "url": url}
    return Source(settings, names, pids.of("404404"), opens_files=False)


_KINDS: Mapping[str, Callable[[ExitStack, Path, Sequence[Dataset]], Source]] = {
    "service": _service,
    "scicat": _scicat,
    "icat": _icat,
    "invenio": _invenio,
    "legacy": _legacy,
    "panosc": _panosc,
}


@contextmanager
def source(driver: str, folder: Path) -> Iterator[Source]:
    """A running server of this kind with the suite's datasets, their files below ``folder``."""
    with ExitStack() as stack:
        yield _KINDS[driver](stack, folder, on_disk(folder))


def _at(stack: ExitStack, app: ASGIApp) -> str:
    return stack.enter_context(in_thread(lambda: serving(app)))


def _own(datasets: Sequence[Dataset]) -> dict[str, str]:
    return {dataset.pid: dataset.pid for dataset in datasets}


def _right(dataset: Dataset) -> dict[str, str]:
    access = dataset.access
    if access.open_at(datetime.now(UTC)):
        return {"access_right": "open"}
    if access.public and access.embargo_until is not None:
        return {
            "access_right": "embargoed",
            "embargo_date": access.embargo_until.date().isoformat(),
        }
    return {"access_right": "closed"}
