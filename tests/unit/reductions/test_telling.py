"""What people are told: how far it is in terminals, logs and notebooks, and a result's cost."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import IPython
import IPython.display
import numpy as np
import pytest
import xarray as xr
from IPython.core.formatters import DisplayFormatter

import nearfield
from nearfield.errors import DataFileError, ReductionCancelledError
from nearfield.reductions import plan
from nearfield.reductions.telling import notebook, progress
from nearfield.reductions.telling.amounts import duration, frames, size
from nearfield.reductions.telling.pace import Pace

DATA = np.random.default_rng(4).integers(0, 9, (40, 6, 8)).astype("u2")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(plan, "TASK", 4 * DATA[0].nbytes)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=DATA, chunks=(1, 6, 8), compression="gzip")
    return tmp_path / "a.h5"


@pytest.fixture
def result(path: Path) -> xr.Dataset:
    return nearfield.reduce(path, sum=True)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Any:
    """IPython, as far as it shows things."""
    made = SimpleNamespace(display_formatter=DisplayFormatter(), kernel=None)
    monkeypatch.setattr(IPython, "get_ipython", lambda: made)
    return made


class Shown:
    """In the place of a front-end: all that was displayed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.all: list[Any] = []
        monkeypatch.setattr(progress, "in_notebook", lambda: True)
        monkeypatch.setattr(IPython.display, "display", self._display)
        monkeypatch.setattr(notebook, "_PAUSE", 0)

    def _display(self, made: Any, *, display_id: bool) -> Shown:
        assert display_id
        self.update(made)
        return self

    def update(self, made: Any) -> None:
        self.all.append(made)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    return Shown(monkeypatch)


def test_amounts() -> None:
    assert [size(n) for n in (0, 999, 1000, 1.046e9, 2e15)] == [
        "0 bytes", "999 bytes", "1 kB", "1.05 GB", "2e+03 TB",
    ]  # fmt: skip
    assert [duration(s) for s in (0.2, 1, 12.3, 89, 100, 7200)] == [
        "less than a second", "1 s", "12 s", "89 s", "2 min", "2.0 h",
    ]  # fmt: skip
    assert (frames(1), frames(1200)) == ("1 frame", "1,200 frames")


def test_the_pace_leaves_out_the_first_task_in_which_kernels_are_compiled() -> None:
    clock = iter([0.0, 10.0, 11.0, 12.0])
    pace = Pace(2000, 1_000_000, lambda: next(clock))
    assert (pace.words(), pace.rate) == ("0 of 2,000 frames", None)
    pace.told(100)
    assert pace.rate == 10
    pace.told(300)
    assert pace.words() == "300 of 2,000 frames, 200 MB/s, 8.5 s left"
    pace.told(2000)
    assert (pace.words(), pace.share) == ("2,000 of 2,000 frames", 1)
    assert pace.all_in_all() == "2,000 frames in 12 s, 167 MB/s"


def test_a_bar_in_a_terminal(
    result: xr.Dataset, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    result.nearfield.compute()
    said = capsys.readouterr().err
    assert said.startswith("\rreduce:   0%|")
    assert "100%|" in said
    assert "40 frames in " in said
    result.nearfield.compute()
    assert capsys.readouterr().err == "", "it is there already"


def test_lines_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = itertools.count()
    pace = Pace(40, 1000, lambda: 4.0 * next(seconds))
    told = progress._lines(pace, lambda: 4.0 * next(seconds))
    with told as tell:
        for done in range(4, 41, 4):
            tell(done, 40)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("reduce: ")
    assert lines[0].endswith(" s left")
    assert lines[-1].startswith("reduce: 40 frames in ")
    assert 3 <= len(lines) <= 6


def test_what_is_quick_says_nothing_in_a_log(
    result: xr.Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    result.nearfield.compute()
    assert capsys.readouterr().err == ""


def test_a_bar_in_a_notebook_is_a_widget_while_it_runs(result: xr.Dataset, shown: Shown) -> None:
    result.nearfield.compute()
    widget, last = shown.all
    assert type(widget).__name__ == "ReductionProgress"
    assert (widget.share, widget.comm) == (0.9, None), "the last that it was told; it is closed"
    assert widget.words.startswith("36 of 40 frames, ")
    assert "40 frames in " in repr(last)
    assert 'aria-valuenow="100.0"' in last._repr_html_()


@pytest.mark.parametrize("why", ["a run", "no widgets"])
def test_without_widgets_the_bar_is_plain(
    why: str, result: xr.Dataset, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why == "a run":
        monkeypatch.setenv("NEARFIELD_RUN", "/nowhere/inputs.json")
    else:
        monkeypatch.setattr(notebook, "GROUP", "nobody.has.these")
    result.nearfield.compute()
    pages = [made._repr_html_() for made in shown.all]
    assert len(pages) == 1 + 9 + 1
    assert "0 of 40 frames" in pages[0]
    assert "20 of 40 frames" in pages[5]
    assert "width:50.0%" in pages[5]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyboardInterrupt(), "Cancelled after 20 of 40 frames"),
        (ReductionCancelledError("enough"), "Cancelled after 20 of 40 frames"),
        (DataFileError("a.h5", "gone"), "Ended by an error after 20 of 40 frames"),
    ],
)
def test_an_early_end_stays_in_the_notebook(error: BaseException, words: str, shown: Shown) -> None:
    def work() -> None:
        with notebook.bar(Pace(40, 96)) as told:
            told(20, 40)
            raise error

    with pytest.raises(type(error)) as found:
        work()
    assert repr(shown.all[-1]) == f"reduce: {words}"
    if isinstance(error, KeyboardInterrupt):  # one line, where IPython would show all of this
        assert found.value._render_traceback_() == [  # type: ignore[attr-defined]
            "KeyboardInterrupt: the reduction was cancelled"
        ]


def test_ipython_shows_the_cost_of_what_is_not_computed(shell: Any, path: Path) -> None:
    result = nearfield.reduce(path, sum=True, frames=slice(0, 30), workers=3)
    pages = shell.display_formatter.format(result)[0]
    for page in (pages["text/html"], pages["text/plain"]):
        assert "Not computed yet: less than a second (" in page
        assert "30 of 40 frames; reads " in page
        assert "decodes 2.88 kB; 8 tasks in 3 threads" in page
        assert "xarray.Dataset" in page
    pages = shell.display_formatter.format(result.nearfield.compute(progress=False))[0]
    for page in (pages["text/html"], pages["text/plain"]):
        assert "Not computed" not in page
        assert "Partial: the file was written just now, maybe still is; 30 frames" in page
    other = xr.Dataset({"a": 1})
    pages = shell.display_formatter.format(other)[0]
    assert pages["text/plain"] == repr(other)
    assert "maybe still is" not in pages["text/html"]


def test_what_one_has_to_know_is_shown_above(shell: Any, tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((8, 6, 8), "u2")
    for k in range(8):
        layout[k] = h5py.VirtualSource(f"<b>{k}.h5", "d", (6, 8))
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_virtual_dataset("d", layout)
    result = nearfield.reduce(tmp_path / "m.h5", sum=True)
    pages = shell.display_formatter.format(result)[0]
    missing = "whose frames are the fill value: <b>0.h5; <b>1.h5; <b>2.h5; and 5 more"
    assert missing in pages["text/plain"]
    assert missing.replace("<b>", "&lt;b&gt;") in pages["text/html"]


def test_somebodys_own_way_to_show_datasets_stays(shell: Any, path: Path) -> None:
    known = shell.display_formatter.formatters["text/html"]
    known.for_type(xr.Dataset, lambda made: "mine")
    assert (
        shell.display_formatter.format(nearfield.reduce(path, sum=True))[0]["text/html"] == "mine"
    )
