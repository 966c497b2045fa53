"""Any Zarr array that can be drawn is what the zarr library reads, and so are its reductions."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearfield.reductions import plan, reading
from nearfield.reductions.index import open_stack
from nearfield.reductions.stack import Stack
from reductionlab.asking import asks
from reductionlab.comparing import compare_one, prepare
from reductionlab.zarring import Case, cases, write

outcomes: Counter[str] = Counter()


def all_frames(stack: Stack) -> np.ndarray:
    found = np.empty((stack.shape[0], int(np.prod(stack.shape[1:]))), stack.dtype)
    for first, block in reading.blocks(stack, 0, stack.shape[0]):
        found[first : first + len(block)] = block
    return found.reshape(stack.shape)


def test_any_reduction_of_any_array(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prepare(monkeypatch, tmp_path)

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(cases(), st.data())
    def check(case: Case, data: st.DataObject) -> None:
        monkeypatch.setattr(plan, "TASK", data.draw(st.sampled_from([1, 300, 10**8])))
        monkeypatch.setattr(reading, "BLOCK", data.draw(st.sampled_from([1, 300, 1 << 19])))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.zarr"
            whole = write(path, case)
            stack = open_stack(path, frame_ndim=case.frame_ndim)
            assert stack.refused is None
            assert stack.dtype == whole.dtype.newbyteorder("=")
            whole = whole.reshape(-1, *stack.frame_shape)
            found = all_frames(stack)
            assert found.tobytes() == whole.astype(stack.dtype).tobytes()
            asked = data.draw(asks(len(whole), stack.frame_shape))
            compare_one(stack, whole, np.zeros(len(whole), bool), asked, data)
        outcomes["sharded" if case.shard else "plain", case.version] += 1

    check()
    assert all(outcomes[kind] >= 15 for kind in [("sharded", 3), ("plain", 3), ("plain", 2)])
