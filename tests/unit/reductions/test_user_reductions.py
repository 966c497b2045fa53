"""Reductions that a person wrote, compiled and run with all the others."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import nearfield
from nearfield.errors import DataFileError
from nearfield.reductions import plan, reading

DATA = np.random.default_rng(4).integers(0, 1000, (40, 6, 7)).astype("u2")
ENERGY = np.linspace(8.0, 8.4, 40)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Read in many tasks and blocks."""
    monkeypatch.setattr(plan, "TASK", 700)
    monkeypatch.setattr(reading, "BLOCK", 200)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("d")
        group.attrs.update(NX_class="NXdata", signal="data", axes=["energy", "y", "x"])
        group.create_dataset("data", data=DATA, chunks=(3, 6, 7))
        group["energy"] = ENERGY
    return tmp_path / "a.h5"


@nearfield.reduction
def brightest(frame: Any) -> Any:
    """The brightest pixel. It says no more."""
    return frame.max()


@nearfield.reduction(start=np.zeros, merge="add")
def above(frame: Any, state: Any, threshold: float = 500.0) -> None:
    state += frame > threshold


@nearfield.reduction(dims={"axis": ["y", "x"]}, units="px")
def centre(frame: Any) -> Any:
    total, y, x = 0.0, 0.0, 0.0
    for i in range(frame.shape[0]):
        for j in range(frame.shape[1]):
            if not np.isnan(frame[i, j]):
                total += frame[i, j]
                y += i * frame[i, j]
                x += j * frame[i, j]
    return y / total, x / total


def test_a_number_for_each_frame(path: Path) -> None:
    found = nearfield.reduce(path, array="d", user=brightest)["brightest"]
    assert found.dims == ("energy",)
    assert found.attrs["long_name"] == "The brightest pixel. It says no more"
    np.testing.assert_array_equal(found, DATA.max((1, 2)))
    assert brightest(DATA[0]) == DATA[0].max()


def test_numbers_for_each_frame_beside_other_reductions(path: Path) -> None:
    found = nearfield.reduce(path, array="d", user={"com": centre}, sum=True)
    assert found["com"].dims == ("energy", "axis")
    assert found["com"].attrs["units"] == "px"
    wide = DATA.astype("f8")
    total = wide.sum((1, 2))
    np.testing.assert_allclose(
        found["com"].sel(axis="y"), (wide.sum(2) * np.arange(6)).sum(1) / total
    )
    np.testing.assert_array_equal(found["sum"], DATA.sum(0))


def test_an_array_for_each_frame_and_the_axes_that_it_shares(path: Path) -> None:
    @nearfield.reduction(dims="x")
    def profile(frame: Any, number: int, energy: float) -> Any:
        return frame.sum(0) * energy + number

    found = nearfield.reduce(path, array="d", user=profile, frames=slice(5, 30, 2))["profile"]
    assert found.dims == ("energy", "x")
    some = DATA[5:30:2].sum(1, dtype="f8")
    right = some * ENERGY[5:30:2, None] + np.arange(13)[:, None]
    np.testing.assert_allclose(found, right, rtol=1e-14)


def test_one_state_of_all_frames_with_a_value_of_ones_own(path: Path) -> None:
    found = nearfield.reduce(
        path, array="d", user={"low": above.using(threshold=100), "high": above}, workers=2
    )
    assert found["low"].dims == ("y", "x")
    np.testing.assert_array_equal(found["low"], (DATA > 100).sum(0))
    np.testing.assert_array_equal(found["high"], (DATA > 500).sum(0))


def test_states_are_merged_in_the_order_of_the_frames(path: Path) -> None:
    @nearfield.reduction(
        start=lambda shape: np.full((2, *shape), np.nan),
        merge=lambda left, right: np.where(np.isnan(right), left, right),
        finish=lambda state: state[1] - state[0] + 0.5,
        dims=("y", "x"),
    )
    def kept(frame: Any, state: Any) -> None:
        state[0] = np.where(np.isnan(state[0]), 0, state[0])
        state[1] = frame

    found = nearfield.reduce(path, array="d", user=kept, workers=3)["kept"]
    np.testing.assert_array_equal(found, DATA[-1] + 0.5)


def test_a_histogram_of_integers_and_a_number(path: Path) -> None:
    @nearfield.reduction(start=lambda shape: np.zeros(10, "i8"), merge="add", dims="hundred")
    def hundreds(frame: Any, state: Any) -> None:
        for value in frame.flat:
            state[int(value) // 100] += 1

    @nearfield.reduction(start=lambda shape: -np.inf, merge="max")
    def ever(frame: Any, state: Any) -> None:
        state[0] = max(state[0], frame.max())

    found = nearfield.reduce(path, array="d", user=[hundreds, ever])
    assert found["hundreds"].dtype == "i8"
    np.testing.assert_array_equal(found["hundreds"], np.bincount(DATA.ravel() // 100, minlength=10))
    assert found["ever"].dims == ()
    assert float(found["ever"]) == DATA.max()


def test_for_each_group_of_frames_too(path: Path) -> None:
    shot = np.arange(40) % 3
    found = nearfield.reduce(path, array="d", user=[above, brightest], by={"shot": shot})
    for number in range(3):
        np.testing.assert_array_equal(found["above"][number], (DATA[shot == number] > 500).sum(0))
    assert found["brightest"].dims == ("energy",)


def test_corrected_frames_have_nan_and_frames_are_ones_own(path: Path) -> None:
    @nearfield.reduction(start=np.zeros, merge="add")
    def held(frame: Any, state: Any) -> None:
        state += np.isfinite(frame)
        frame[:] = 0  # a copy: others do not see it

    bad = np.eye(6, 7)
    found = nearfield.reduce(path, array="d", user=held, sum=True, bad=bad)
    np.testing.assert_array_equal(found["held"], np.where(bad, 0, 40))
    np.testing.assert_array_equal(found["sum"], np.where(bad, np.nan, DATA.sum(0)))


def test_frames_of_their_stored_type_on_request(path: Path) -> None:
    @nearfield.reduction(native=True, boundscheck=False)
    def lowest(frame: Any) -> Any:
        return frame.min()

    found = nearfield.reduce(path, array="d", user=lowest)["lowest"]
    assert found.dtype == "u2"
    np.testing.assert_array_equal(found, DATA.min((1, 2)))


def test_numbers_from_outside_are_those_of_now_and_are_told(path: Path) -> None:
    limit = 100

    @nearfield.reduction
    def over(frame: Any) -> Any:
        return (frame > limit).sum()

    for limit in (100, 900):
        found = nearfield.reduce(path, array="d", user="over")
        np.testing.assert_array_equal(found["over"], (limit < DATA).sum((1, 2)))
        told = json.loads(found.attrs["asked"])["user"]["over"]
        assert told["outside"] == {"limit": limit}
    assert re.fullmatch("[0-9a-f]{64}", told["sha256"])
    assert "(frame > limit).sum()" in told["source"]


def test_frames_that_cannot_be_read_have_no_row(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("d", data=DATA, chunks=(10, 6, 7), compression="gzip")
        at = data.id.get_chunk_info(1).byte_offset
    with (tmp_path / "a.h5").open("r+b") as raw:
        raw.seek(at)
        raw.write(b"\xff" * 40)
    asked: dict[str, Any] = {"array": "d", "user": [brightest, above]}
    with pytest.raises(DataFileError, match="frame"):
        nearfield.reduce(tmp_path / "a.h5", **asked).load()
    with pytest.warns(UserWarning, match="10 of 40 frames"):
        found = nearfield.reduce(tmp_path / "a.h5", **asked, errors="collect").load()
    lost = np.arange(40) // 10 == 1
    assert np.isnan(found["brightest"].values[lost]).all()
    np.testing.assert_array_equal(found["above"], (DATA[~lost] > 500).sum(0))


def test_what_the_documentation_shows(path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "reduce-a-stack.md"
    section = page.read_text().partition("## A reduction of your own")[2].partition("\n## ")[0]
    written = "\n".join(re.findall(r"```python\n(.*?)```", section, re.S))
    shown: dict[str, Any] = {"ds": path}
    exec(compile(written.replace(".plot()", ""), str(page), "exec"), shown)  # noqa: S102
    light = DATA.astype("f8").sum(2)
    right = (light * np.arange(6)).sum(1) / light.sum(1)
    np.testing.assert_allclose(shown["result"]["centre_of_mass"].sel(axis="y"), right)
    defined = re.search(r"@nearfield.*?\n\n", written, re.S)
    assert defined is not None
    assert len(defined[0].strip().splitlines()) <= 10


def test_a_function_of_a_notebook_goes_to_another_process(path: Path, tmp_path: Path) -> None:
    """``__main__`` of the worker knows nothing of it."""
    sent = tmp_path / "plan.pickle"
    notebook = f"""
        import cloudpickle, numpy as np, nearfield
        scale = 3
        @nearfield.reduction(start=np.zeros, merge=lambda a, b: a + b, finish=lambda s: s / scale)
        def total(frame, state):
            state += frame * scale
        found = nearfield.reduce({str(path)!r}, array="d", user=total)
        open({str(sent)!r}, "wb").write(cloudpickle.dumps(found.encoding["nearfield_result"].plan))
    """
    worker = f"""
        import pickle
        from nearfield.reductions.threads import compute
        plan = pickle.load(open({str(sent)!r}, "rb"))
        print(compute(plan)["total"].sum())
    """
    for code in (notebook, worker):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert float(done.stdout) == DATA.sum()
