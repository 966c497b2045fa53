"""Compares any reduction of any stack that can be drawn with what numpy makes of h5py's reading.

Tasks and blocks are drawn as small as a frame, so that small stacks too are read and joined in many
pieces. How each case ends is counted, so that a test cannot pass by errors alone.
"""

from __future__ import annotations

import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearfield.errors import DataFileError, NearfieldError
from nearfield.reductions import kinds, nexus_geometry, plan, reading
from nearfield.reductions.asking import reduce_stack
from nearfield.reductions.collecting import UnreadableFramesWarning
from nearfield.reductions.in_memory import stack_in_memory
from nearfield.reductions.index import files, open_stack
from nearfield.reductions.stack import Stack
from reductionlab.asking import asks
from reductionlab.oracle import Right, right
from reductionlab.storing import Case, cases, write

outcomes: Counter[str] = Counter()
_REFUSED = ("on each other", "at its edges may be stored without")
"""Where the index is right to leave a stack to h5py."""


def _check(case: Case, data: st.DataObject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "TASK", data.draw(st.sampled_from([1, 300, 2_000, 10**8])))
    monkeypatch.setattr(reading, "BLOCK", data.draw(st.sampled_from([1, 300, 1 << 19])))
    held = data.draw(st.sampled_from([1, 300, 64 << 20]))
    monkeypatch.setattr(reading, "_held", lambda: held)
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), case)
        stack = open_stack(path, "d", frame_ndim=case.frame_ndim)
        if stack.refused is not None:
            assert any(words in stack.refused for words in _REFUSED), stack.refused
            outcomes["by h5py"] += 1
        whole, lost = _read(path, case.frame_ndim)
        asked = data.draw(asks(len(whole), whole.shape[1:]))
        compare_one(stack, whole, lost, asked, data)
    outcomes["virtual" if case.levels else "plain"] += 1
    outcomes[np.dtype(case.data.kind).name] += 1


def _read(path: Path, frame_ndim: int) -> tuple[np.ndarray, np.ndarray]:
    """The frames as h5py reads them one by one, and which of them it cannot.

    HDF5 leaves out the fill value where mappings of a virtual dataset lie on each other.
    """
    with h5py.File(path) as file:
        dataset = file["d"]
        cut = dataset.ndim - frame_ndim
        whole = np.full(dataset.shape, dataset.fillvalue, dataset.dtype.newbyteorder("="))
        lost = np.zeros(dataset.shape[:cut], bool)
        for at in np.ndindex(dataset.shape[:cut]):
            try:
                dataset.read_direct(whole, at, at)
            except OSError:
                lost[at] = True
    return whole.reshape(-1, *whole.shape[cut:]), lost.ravel()


def compare_one(
    stack: Stack, whole: np.ndarray, lost: np.ndarray, asked: dict[str, Any], data: st.DataObject
) -> None:
    some = asked.get("frames", slice(None))
    workers = data.draw(st.sampled_from([1, 2, 3, 7]))
    if lost[some].any() and data.draw(st.integers(0, 3)) == 0:
        with pytest.raises(DataFileError, match="frame"):
            reduce_stack(stack, workers=workers, **asked).load()
        outcomes["error"] += 1
        return
    if lost.any():
        asked["errors"] = "collect"
    found = reduce_stack(stack, workers=workers, **asked)
    if lost[some].all():
        with pytest.raises(NearfieldError, match="none of the frames"):
            found.load()
        outcomes["all lost"] += 1
        return
    expected = right(whole, asked, lost)
    if any(_too_large(one, whole.dtype) for one in expected.values()):
        with pytest.raises(NearfieldError, match="does not fit in 64 bits"):
            found.load()
        outcomes["too large"] += 1
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnreadableFramesWarning)
        found.load()
        again = reduce_stack(stack, workers=8 - workers, **asked).load()
    for name, one in expected.items():
        one.check(found[name].values, name, found[name].attrs.get("missing_value"))
        # Bit by bit, whatever the number of threads.
        assert found[name].values.tobytes() == again[name].values.tobytes(), name
    if not lost.any():
        dims = [f"axis {number}" for number in range(whole.ndim)]
        memory = stack_in_memory(xr.DataArray(whole, dims=dims), whole.ndim - 1)
        there = reduce_stack(memory, workers=workers, **asked).load()
        for name, one in expected.items():
            one.check(there[name].values, name, there[name].attrs.get("missing_value"))
    if "errors" in asked:
        assert (found["unreadable"].values == lost[some]).all()
        outcomes["some lost"] += bool(lost[some].any())
    outcomes["right"] += 1


def _too_large(one: Right, kind: np.dtype[np.generic]) -> bool:
    if one.value.dtype != object:
        return False
    limits = np.iinfo("i8" if kind.kind == "i" else "u8")
    there = one.value[~np.equal(one.value, None)]
    return bool((there < limits.min).any() or (there > limits.max).any())


def prepare(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(files, "_TICK", 0.0)  # nothing changes while it is read here
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setattr(kinds, "azimuthal_of", lambda made, shape: made)  # pyFAI's are tested apart
    monkeypatch.setattr(nexus_geometry, "with_geometry", lambda made, stack: made)
    outcomes.clear()


def compare(
    count: int,
    monkeypatch: pytest.MonkeyPatch,
    cache: Path,
    drawn: st.SearchStrategy[Case] | None = None,
) -> Counter[str]:
    """``count`` cases, any if not told which; gives how they ended."""
    prepare(monkeypatch, cache)

    @settings(
        max_examples=count,
        deadline=None,
        database=None,  # a kept failure is drawn first, and counts would be of its kin
        suppress_health_check=list(HealthCheck),
    )
    @given(cases() if drawn is None else drawn, st.data())
    def check(case: Case, data: st.DataObject) -> None:
        _check(case, data, monkeypatch)

    check()
    print(dict(outcomes))
    return outcomes
