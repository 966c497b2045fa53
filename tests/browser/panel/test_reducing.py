"""A reduction in a notebook: its cost, its progress and its end, and a live plot."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from panels.axe import violations
from panels.contrast import faint
from panels.lab import LONG, Lab
from panels.server import LabServer

Shot = Callable[[Page, str], None]
PAGE = Path(__file__).resolve().parents[3] / "docs/how-to/reduce-a-stack.md"
FRAMES = 100
REPEATED, SHORT = 1200, 80
"""As long as a stack of many files, in the place of one."""


@pytest.fixture(scope="module")
def scan(server: LabServer) -> str:
    """A stack that takes a while: one file of frames, again and again."""
    folder = server.config.parent / "files"
    y, x = np.mgrid[:256, :256]
    r = np.hypot(y - 120, x - 130)
    rings = 40 * np.exp(-r / 45) + 30 * np.exp(-(((r - 60) / 4) ** 2)) + 0.3
    frames = np.random.default_rng(1).poisson(rings, (FRAMES, 256, 256)).astype("u2")
    with h5py.File(folder / "frames.h5", "w") as file:
        file.create_dataset("d", data=frames, chunks=(1, 256, 256), compression="gzip")
    source = h5py.VirtualSource("frames.h5", "d", frames.shape)
    for name, times in (("scan.nxs", REPEATED), ("short.nxs", SHORT)):
        layout = h5py.VirtualLayout((FRAMES * times, 256, 256), "u2")
        for k in range(times):
            layout[FRAMES * k : FRAMES * (k + 1)] = source
        with h5py.File(folder / name, "w") as file:
            file.create_virtual_dataset("frames", layout)
    return "scan.nxs"


@pytest.fixture
def notebook(lab: Lab) -> Lab:
    """A notebook whose kernel has answered."""
    lab.find("pid:seeded/000555").rows.first.click()
    lab.insert()
    return lab


def bar_of(lab: Lab) -> Locator:
    return lab.page.get_by_role("progressbar", name="Reduction")


def test_its_cost_its_progress_and_the_button_that_ends_it(
    notebook: Lab, scan: str, shot: Shot
) -> None:
    page = notebook.page
    notebook.type_cell(
        f"import nearfield\nresult = nearfield.reduce({scan!r}, mean=True, workers=1)\nresult"
    )
    card = notebook.output.last
    expect(card).to_contain_text("Not computed yet: about", timeout=LONG)
    expect(card).to_contain_text("120,000 frames; reads ")
    expect(card).to_contain_text("xarray.Dataset")
    shot(page, "reduce-cost")
    notebook.type_cell("done = result.nearfield.compute()")
    expect(page.locator(".nf-progress")).to_contain_text(
        re.compile(r"[1-9][0-9,]* of 120,000 frames, [0-9.]+ [MG]B/s, .* left"), timeout=LONG
    )
    for theme in ("Dark", "Light"):
        notebook.theme(f"JupyterLab {theme}")
        assert violations(page, ".nf-progress") == []
        assert faint(page, ".nf-progress") == []
        shot(page, f"reduce-progress-{theme.lower()}")
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(notebook.output.filter(has_text="Cancelled after")).to_be_visible(timeout=LONG)
    expect(notebook.output.last).to_contain_text("KeyboardInterrupt: the reduction was cancelled")
    expect(page.locator(".nf-progress")).to_have_count(0)
    threads = (
        "import threading; print([t.name for t in threading.enumerate() if 'reduce' in t.name])"
    )
    assert notebook.printed(threads) == "[]"
    shot(page, "reduce-cancelled")


def test_a_result_stays_in_the_notebook(notebook: Lab, scan: str, shot: Shot) -> None:
    asked = f"nearfield.reduce({scan!r}, mean=True, frames=slice(0, 4000))"
    notebook.type_cell(f"import nearfield\nresult = {asked}\ndone = result.nearfield.compute()")
    said = notebook.output.filter(has_text=re.compile("^4,000 frames in .*100 %"))
    expect(said).to_be_visible(timeout=LONG)
    expect(bar_of(notebook)).to_have_attribute("aria-valuenow", "100.0")
    notebook.type_cell("done")
    expect(notebook.output.last).to_contain_text("xarray.Dataset")
    expect(notebook.output.last).not_to_contain_text("Not computed yet")
    shot(notebook.page, "reduce-done")


def test_the_live_plot_of_the_page(notebook: Lab, scan: str, shot: Shot) -> None:
    [code] = [
        found
        for found in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
        if ".partial()" in found
    ]
    notebook.type_cell("import nearfield\nds = 'short.nxs'")
    notebook.type_cell(code.rstrip())
    picture = notebook.output.locator("img")
    expect(picture).to_have_count(1, timeout=LONG)
    first = picture.get_attribute("src")
    expect(picture).not_to_have_attribute("src", first or "", timeout=LONG)
    done = "print(result.nearfield.partial().attrs['frame_count'])"
    assert notebook.printed(done) == "8000"
    shot(notebook.page, "reduce-live-plot")
