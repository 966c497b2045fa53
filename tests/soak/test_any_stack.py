"""Thousands of reductions of stacks as they can be drawn, each compared with numpy."""

from __future__ import annotations

from pathlib import Path

import pytest

from reductionlab.comparing import compare


@pytest.mark.soak
def test_thousands_of_reductions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    outcomes = compare(7_000, monkeypatch, tmp_path)
    assert outcomes["right"] >= 5_000, outcomes
    assert outcomes["virtual"] >= 700, outcomes
    assert outcomes["by h5py"] and outcomes["some lost"] >= 70, outcomes
