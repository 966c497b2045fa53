"""Compares any reduction of any stack that can be drawn with what numpy makes of h5py's reading.

Tasks and blocks are drawn as small as a frame, so that small stacks too are read and joined in many
pieces. What is refused is counted, so that a test cannot pass by refusing all.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearfield.errors import NearfieldError
from nearfield.reductions import plan, reading
from nearfield.reductions.asking import reduce_stack
from nearfield.reductions.index import files, open_stack
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
            outcomes["refused"] += 1
            return
        with h5py.File(path) as file:
            whole = file["d"][()]
        frame = whole.shape[whole.ndim - case.frame_ndim :]
        whole = whole.reshape(-1, *frame)
        asked = data.draw(asks(len(whole), frame))
        expected = right(whole, asked)
        found = reduce_stack(stack, workers=data.draw(st.integers(1, 3)), **asked)
        if any(_too_large(one, whole.dtype) for one in expected.values()):
            with pytest.raises(NearfieldError, match="does not fit 64 bits"):
                found.load()
            outcomes["too large"] += 1
            return
        found.load()
        for name, one in expected.items():
            one.check(found[name].values, name)
    outcomes["right"] += 1
    outcomes["virtual" if case.levels else "plain"] += 1
    outcomes[np.dtype(case.data.kind).name] += 1


def _too_large(one: Right, kind: np.dtype[np.generic]) -> bool:
    if one.value.dtype != object or not one.value.size:
        return False
    limits = np.iinfo("i8" if kind.kind == "i" else "u8")
    return bool((one.value < limits.min).any() or (one.value > limits.max).any())


def compare(count: int, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Counter[str]:
    """``count`` cases; gives how they ended."""
    monkeypatch.setattr(files, "_TICK", 0.0)  # nothing changes while it is read here
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    outcomes.clear()

    @settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))
    @given(cases(), st.data())
    def check(case: Case, data: st.DataObject) -> None:
        _check(case, data, monkeypatch)

    check()
    print(dict(outcomes))
    assert outcomes["virtual"] >= count / 10, outcomes
    return outcomes
