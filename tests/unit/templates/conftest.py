"""Template folders made for a test, and our own templates without a kernel."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
import yaml

import nearfield
from nearfield.datasets import ArrayInfo, Dataset
from nearfield.reductions import plan
from nearfield.templates.notebook import read_notebook, source, tags

NOTEBOOKS = Path(__file__).resolve().parents[3] / "notebooks"


def code(source: str, *tags: str) -> dict[str, Any]:
    return {
        "cell_type": "code", "id": f"c{abs(hash(source)) % 10**8}", "execution_count": None,
        "metadata": {"tags": list(tags)}, "outputs": [], "source": source,
    }  # fmt: skip


@pytest.fixture
def make_template(tmp_path: Path) -> Callable[..., Path]:
    """Makes a template folder; ``card`` is merged into a small card, ``cells`` are the code."""

    def make(
        name: str = "small", cells: tuple[str, ...] = ("x = 1",), where: Path | None = None,
        **card: Any,
    ) -> Path:  # fmt: skip
        folder = (where or tmp_path / "templates") / name
        folder.mkdir(parents=True)
        content = {"name": name, "version": "1.0", "title": "Small"} | card
        (folder / "card.yaml").write_text(yaml.safe_dump(content))
        (folder / "README.md").write_text("Small.\n")
        first, *others = cells
        notebook = {
            "nbformat": 4, "nbformat_minor": 5,
            "metadata": {"kernelspec": {"name": "python3", "language": "python"}},
            "cells": [code(first, "parameters"), *(code(other) for other in others)],
        }  # fmt: skip
        (folder / "template.ipynb").write_text(json.dumps(notebook))
        return folder

    return make


@pytest.fixture
def plotting() -> Iterator[None]:
    mpl.use("Agg")
    yield
    mpl.pyplot.close("all")


class Notebook:
    """Executes the template's cells on a file."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        self.template = "frames-projection"

    def run(
        self, file: Path, *arrays: ArrayInfo, block: int = 0, plots: bool = False, **given: Any
    ) -> dict[str, Any]:
        """``block`` is the size of tasks in bytes; ``plots`` also draws, which takes a second."""
        if block:
            self.monkeypatch.setattr(plan, "TASK", block)
        dataset = Dataset(pid="p-1", title="A $5 title", arrays=arrays)
        self.monkeypatch.setattr(nearfield, "dataset", lambda pid: dataset, raising=False)
        names: dict[str, Any] = {}
        for cell in read_notebook(NOTEBOOKS / self.template / "template.ipynb")["cells"]:
            if cell["cell_type"] != "code":
                continue
            code = source(cell)
            if "plt.subplots" in code and not plots:
                continue
            exec(compile(code, "cell", "exec"), names)  # noqa: S102 - our own notebook
            if "parameters" in tags(cell):
                names |= {
                    "dataset_pids": ["p-1"], "data_files": [str(file)],
                    "output_dir": str(self.folder), **given,
                }  # fmt: skip
        return names


@pytest.fixture
def notebook(plotting: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Notebook:
    (tmp_path / "out").mkdir()
    return Notebook(tmp_path / "out", monkeypatch)
