"""Bit by bit the same result: with any number of threads, and after it was cancelled."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
import xarray as xr

import nearfield
from nearfield.errors import ReductionCancelledError
from nearfield.reductions import plan, reading
from nearfield.reductions.collecting import UnreadableFramesWarning

FRAMES, SHAPE = 60, (7, 11)
RNG = np.random.default_rng(2)
# Of all sizes: each order of adding them up is rounded in another way.
DATA = RNG.normal(0, 1, (FRAMES, *SHAPE)) * 10.0 ** RNG.integers(-12, 12, (FRAMES, *SHAPE))
DATA[RNG.random(DATA.shape) < 0.05] = np.nan


def asked() -> dict[str, Any]:
    found: dict[str, Any] = {
        "sum": True, "mean": True, "var": True, "std": {"ddof": 1}, "min": True, "max": True,
        "count": True, "roi": {"a": (slice(1, 5),), "b": ()}, "histogram": np.linspace(-9, 9, 30),
        "masks": RNG.normal(0, 1, (3, *SHAPE)), "dark": RNG.normal(0, 1, SHAPE),
        "flat": RNG.random(SHAPE), "monitor": RNG.random(FRAMES), "thumbnail": 4,
        "rebin": {"y": 2, "x": 3},
    }  # fmt: skip
    pyfai = pytest.importorskip("pyFAI.integrator.azimuthal")
    geometry = pyfai.AzimuthalIntegrator(
        0.1, 4e-4, 4e-4, pixel1=1e-4, pixel2=1e-4, wavelength=1e-10
    )
    return {**found, "azimuthal": {"geometry": geometry, "bins": 5, "error": "poisson"}}


MORE: dict[str, dict[str, Any]] = {
    "all": {},
    "some": {"frames": slice(5, 58, 3)},
    "groups": {"by": {"shot": RNG.integers(0, 4, FRAMES)}},
    "without those that cannot be read": {"errors": "collect"},
}


@pytest.fixture(params=["plain", "tiles", "by h5py"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(plan, "TASK", 5 * DATA[0].nbytes)
    monkeypatch.setattr(reading, "BLOCK", 2 * DATA[0].nbytes)
    ways: dict[str, dict[str, Any]] = {
        "plain": {"chunks": (1, *SHAPE), **hdf5plugin.Bitshuffle(cname="lz4")},
        "tiles": {"chunks": (4, 3, 5), "compression": "gzip"},
        "by h5py": {"chunks": (2, *SHAPE), "compression": "lzf", "fletcher32": True},
    }
    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = file.create_dataset("data", data=DATA, **ways[request.param])
        place = made.id.get_chunk_info(3)
    damaged = (tmp_path / "a.h5").read_bytes()
    at = place.byte_offset
    damaged = damaged[:at] + b"\x4f" * place.size + damaged[at + place.size :]
    (tmp_path / "damaged.h5").write_bytes(damaged)
    return tmp_path / "a.h5"


def same(one: xr.Dataset, other: xr.Dataset) -> None:
    assert set(one.variables) == set(other.variables)
    for name, variable in one.variables.items():
        assert variable.dtype == other[name].dtype
        assert variable.values.tobytes() == other[name].values.tobytes(), name


@pytest.mark.filterwarnings(f"ignore::{UnreadableFramesWarning.__module__}.UnreadableFramesWarning")
@pytest.mark.parametrize("more", MORE)
def test_with_any_number_of_threads(path: Path, more: str) -> None:
    if "errors" in MORE[more]:
        path = path.with_name("damaged.h5")
    how = {**asked(), **MORE[more]}
    alone = nearfield.reduce(path, **how, workers=1).load()
    for workers in (2, 3, 7):
        same(nearfield.reduce(path, **how, workers=workers).load(), alone)


def test_after_it_was_cancelled(path: Path) -> None:
    how = asked()
    whole = nearfield.reduce(path, **how, workers=2).load()
    again = nearfield.reduce(path, **how, workers=3)

    def cancel(done: int, total: int) -> None:
        assert done < total
        again.nearfield.cancel()

    for _ in range(3):
        with pytest.raises(ReductionCancelledError):
            again.nearfield.compute(progress=cancel)
    same(again.load(), whole)


def test_whichever_thread_is_late(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks end in another order than they began."""
    how = asked()
    whole = nearfield.reduce(path, **how, workers=1).load()
    seen: list[int] = []
    late = threading.Event()
    run = plan.run_task

    def slow(what: Any, number: int, stop: Any = None) -> Any:
        made = run(what, number, stop)
        if number == 0:
            late.wait(5)  # until another one is done
        seen.append(number)
        if number > 0:
            late.set()
        return made

    monkeypatch.setattr("nearfield.reductions.threads.run_task", slow)
    same(nearfield.reduce(path, **how, workers=3).load(), whole)
    assert seen[0] != 0
