"""A catalogue of one synthetic stack, small templates, and the real measurements."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

from nearfield.catalogue import CatalogueStore
from nearfield.datasets import Access, ArrayInfo, DataFile, Dataset

SHARED = Path(__file__).resolve().parents[4] / "shared/data"
SHA = "a" * 64


@pytest.fixture
def real_data() -> Path:
    """The folder of real measurements beside the checkout."""
    if not SHARED.is_dir():
        reason = f"the real measurements are not there: {SHARED}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return SHARED


@pytest.fixture
def stack_file(tmp_path: Path) -> Path:
    """A file of a small stack of frames."""
    file = tmp_path / "data/stack.h5"
    file.parent.mkdir()
    with h5py.File(file, "w") as h5:
        h5["entry/data/data"] = np.arange(4 * 6 * 8, dtype="u2").reshape(4, 6, 8)
    return file


@pytest.fixture
def raw(stack_file: Path) -> Dataset:
    """That file as the catalogue has it."""
    found = stack_file.stat()
    return Dataset(
        pid="raw-1",
        title="A stack",
        techniques=("NXsas",),
        access=Access(public=True),
        files=(
            DataFile(
                path=str(stack_file), size=found.st_size, sha256=SHA,
                mtime=datetime.fromtimestamp(found.st_mtime, UTC),
            ),
        ),
        arrays=(ArrayInfo(path="/entry/data/data", shape=(4, 6, 8), dtype="<u2", signal=True),),
    )  # fmt: skip


@pytest.fixture
def catalogue(tmp_path: Path, raw: Dataset) -> Path:
    """An embedded catalogue with that dataset."""
    file = tmp_path / "catalogue.sqlite"
    store = CatalogueStore(file, "embedded")
    store.register([raw])
    store.close()
    return file


@pytest.fixture
def make_template(tmp_path: Path) -> Callable[..., str]:
    """Makes a template of these cells and returns its path, as one names it to ``run``."""

    def make(*cells: str, properties: dict[str, Any] | None = None, **card: Any) -> str:
        folder = tmp_path / "templates/small"
        folder.mkdir(parents=True)
        schema = {"type": "object", "properties": properties or {}}
        content = {"name": "small", "version": "1.0", "title": "Small", "parameters": schema} | card
        (folder / "card.yaml").write_text(yaml.safe_dump(content))
        (folder / "README.md").write_text("Small.\n")
        first = "\n".join(
            f"{name} = {prop['default']!r}" for name, prop in (properties or {}).items()
        )
        made = [
            {
                "cell_type": "code", "id": f"cell-{number}", "execution_count": None, "outputs": [],
                "metadata": {"tags": [] if number else ["parameters"]}, "source": source,
            }
            for number, source in enumerate((first or "# none", *cells))
        ]  # fmt: skip
        notebook = {
            "nbformat": 4, "nbformat_minor": 5, "cells": made,
            "metadata": {"kernelspec": {"name": "python3", "language": "python"}},
        }  # fmt: skip
        (folder / "template.ipynb").write_text(json.dumps(notebook))
        return str(folder)

    return make
