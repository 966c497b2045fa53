"""The code of README and docs about reductions does what stands there, line by line."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import IPython.display
import matplotlib as mpl
import numpy as np
import pytest

import nearfield
from nearfield.reductions import plan

ROOT = Path(__file__).resolve().parents[3]
SHAPE = (120, 310, 320)
DATA = np.random.default_rng(8).poisson(3, SHAPE).astype("i4")


def code_of(page: str) -> list[str]:
    """The Python of a page, block by block."""
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


@pytest.fixture
def scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``scan.nxs`` in the working folder, which is also the dataset of every PID."""
    with h5py.File(tmp_path / "scan.nxs", "w") as file:
        data = file.create_group("entry/data")
        file["entry"].attrs["NX_class"] = "NXentry"
        data.attrs.update(NX_class="NXdata", signal="frames", axes=[".", ".", "."])
        data.attrs.update(energy_indices=0, delay_indices=0)
        data.create_dataset("frames", data=DATA, chunks=(1, *SHAPE[1:]), compression="lzf")
        data["energy"], data["delay"] = np.arange(120) // 40, np.linspace(-1, 2, 120)
        file["entry/detector/data"] = data["frames"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(nearfield, "dataset", lambda pid: "scan.nxs", raising=False)
    monkeypatch.setattr(plan, "TASK", 40 * DATA[0].nbytes)
    mpl.use("Agg")
    return tmp_path / "scan.nxs"


@pytest.fixture(autouse=True)
def front_end(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was displayed."""
    displayed: list[Any] = []

    def display(made: Any, **_: Any) -> SimpleNamespace:
        displayed.append(made)
        return SimpleNamespace(update=displayed.append)

    monkeypatch.setattr(IPython.display, "display", display)
    return displayed


def test_the_example_of_the_readme(scan: Path) -> None:
    [code] = [block for block in code_of("README.md") if "nearfield.reduce" in block]
    assert len(code.split("\n\n", 1)[1].splitlines()) <= 5
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)  # noqa: S102 - our own page
    result = names["result"]
    np.testing.assert_array_equal(result["mean"], DATA.mean(0))
    np.testing.assert_array_equal(result["roi"], DATA[:, 200:300, 210:310].sum((1, 2)))
    assert set(result["roi"].coords) == {"energy", "delay"}


def test_every_line_of_the_how_to(scan: Path, front_end: list[Any]) -> None:
    mask = DATA[0] > 4
    names: dict[str, Any] = {
        "ring": mask, "stop": ~mask, "bad_pixels": mask, "dark": np.ones(SHAPE[1:]),
        "flat": np.full(SHAPE[1:], 2.0), "current": np.arange(1.0, 121),
        "kind_of_shot": np.arange(120) % 3,
    }  # fmt: skip
    blocks = code_of("docs/how-to/reduce-a-stack.md")
    assert len(blocks) >= 8
    for number, code in enumerate(blocks):
        exec(compile(code, f"block {number}", "exec"), names)  # noqa: S102 - our own page
        if "display_id" in code:
            assert len(front_end) == 1 + 3, "the figure, and after each task again"
            np.testing.assert_array_equal(names["done"]["mean"], DATA.mean(0))
        mpl.pyplot.close("all")
