"""Stores, folders of synthetic data, and the command line, for the catalogue's tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nearfield.catalogue import CatalogueStore, ScanReport, scan
from nearfield.config import Config
from nearfield.datasets import Dataset

REAL_DATA = Path(__file__).parents[4] / "shared/data"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CatalogueStore]:
    made = CatalogueStore(tmp_path / "catalogue/c.sqlite")
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    return made


@pytest.fixture
def rescan(store: CatalogueStore, folder: Path) -> Callable[..., ScanReport]:
    """Scans ``folder`` into ``store``."""
    return lambda **options: scan(store, folder, options.pop("config", Config()), **options)


@pytest.fixture
def datasets(store: CatalogueStore) -> Callable[[], list[Dataset]]:
    """All records, by title and PID."""

    def read() -> list[Dataset]:
        with store.reading() as connection:
            rows = connection.execute("SELECT document FROM record").fetchall()
        found = [Dataset.model_validate_json(text) for (text,) in rows]
        return sorted(found, key=lambda dataset: (dataset.title or "", dataset.pid))

    return read


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that h5py is asked to open, in order."""
    import h5py

    seen: list[str] = []
    real = h5py.File.__init__

    def counted(self: Any, name: Any, *args: Any, **kwargs: Any) -> None:
        # h5py also wraps files that are open already: these are no paths.
        if isinstance(name, str):
            seen.append(name)
        real(self, name, *args, **kwargs)

    monkeypatch.setattr(h5py.File, "__init__", counted)
    return seen


@pytest.fixture
def real_data() -> Path:
    """The folder of real measurements; see its README."""
    if not REAL_DATA.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"{REAL_DATA} is missing")
        pytest.skip(f"real measurements are not at {REAL_DATA}")
    return REAL_DATA


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run() -> Run:
    """Runs ``nearfield`` in a process of its own, as another account with ``user=uid``."""

    def start(
        *argv: str | Path, user: int | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "nearfield", *map(str, argv)],
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200", **env},
        )

    return start


@pytest.fixture
def nobody() -> int:
    """The number of an account without rights; root reads and writes everything."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become another account")
    return 65534


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account can reach and write in; pytest's own are private."""
    made = Path(tempfile.mkdtemp(prefix="nearfield-test-"))
    made.chmod(0o777)
    yield made
    shutil.rmtree(made)
