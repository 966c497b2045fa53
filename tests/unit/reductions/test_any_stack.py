"""Any reduction of any stack that can be drawn is right: some now, thousands in ``make soak``."""

from __future__ import annotations

from pathlib import Path

import pytest

from reductionlab.comparing import compare
from reductionlab.storing import cases, damaged


def test_any_reduction_of_any_stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    outcomes = compare(250, monkeypatch, tmp_path)
    assert outcomes["right"] >= 150, outcomes
    assert outcomes["virtual"] >= 25, outcomes


def test_any_reduction_of_damaged_stacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of all stacks few are: 250 may hold hardly one."""
    outcomes = compare(60, monkeypatch, tmp_path, cases().filter(damaged))
    assert outcomes["some lost"] + outcomes["all lost"] + outcomes["error"] >= 6, outcomes
