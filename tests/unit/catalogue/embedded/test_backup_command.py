"""``nearfield catalogue backup``."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from nearfield.catalogue import CatalogueStore
from nearfield.testing.synthetic import synthetic_dataset

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_the_copy_is_a_catalogue(run: Run, tmp_path: Path) -> None:
    file, copy = tmp_path / "c.sqlite", tmp_path / "copy.sqlite"
    store = CatalogueStore(file)
    store.register([synthetic_dataset(1)])
    # Held open, as a service would.
    done = run("catalogue", "backup", copy, "--catalogue", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert str(copy) in done.stdout
    store.close()
    shown = run("catalogue", "search", "synthetic", "--catalogue", copy)
    assert "synthetic measurement 1" in shown.stdout


def test_what_is_there_is_not_overwritten(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    CatalogueStore(file).close()
    before = file.read_bytes()
    done = run("catalogue", "backup", file, "--catalogue", file)
    assert done.returncode == 1
    assert "there already" in done.stderr
    assert file.read_bytes() == before


def test_no_catalogue_no_copy(run: Run, tmp_path: Path) -> None:
    done = run("catalogue", "backup", tmp_path / "copy", "--catalogue", tmp_path / "none")
    assert done.returncode == 1
    assert "there is no catalogue" in done.stderr
    assert list(tmp_path.iterdir()) == []
