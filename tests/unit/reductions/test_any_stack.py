"""Any reduction of any stack that can be drawn is right: some now, thousands in ``make soak``."""

from __future__ import annotations

from pathlib import Path

import pytest

from reductionlab.comparing import compare


def test_any_reduction_of_any_stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Few cases are rich in every kind only by luck: these are, and stay so.
    outcomes = compare(250, monkeypatch, tmp_path, same=True)
    assert outcomes["right"] >= 150, outcomes
