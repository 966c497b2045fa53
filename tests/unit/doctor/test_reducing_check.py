"""What the doctor says of reductions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nearfield.doctor import reducing
from nearfield.reductions.decode import available, pipeline

Make = Callable[..., Any]


def test_all_is_there(site: Make, ask: Make) -> None:
    [first, *others] = ask("reductions", site())
    assert first.verdict.value == "ok"
    for name in available.FILTERS:
        assert name in first.message
    assert others == []


def test_a_decoder_that_is_missing(site: Make, ask: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    there = pipeline.address
    monkeypatch.setattr(
        pipeline, "address", lambda plugin, name: plugin != "bshuf" and there(plugin, name)
    )
    slow, fast = ask("reductions", site())
    assert slow.verdict.value == "warning"
    assert slow.message.startswith("bitshuffle/lz4, bitshuffle/zstd: read by HDF5 itself")
    assert "gzip, lz4" in fast.message


def test_a_python_without_them_is_no_problem_of_the_hub(
    site: Make, ask: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reducing, "find_spec", lambda name: None if name == "numba" else name)
    [found] = ask("reductions", site())
    assert (found.verdict.value, "no numba;" in found.message) == ("not checked", True)
    monkeypatch.setattr(reducing, "find_spec", lambda name: None if name == "pyFAI" else name)
    assert "without the extras azimuthal" in ask("reductions", site())[-1].message
