"""Loops are kept on disk once they are compiled, where there is a place for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba.core import caching

from nearfield.reductions.decode._libraries import jit


def doubled(values: Any, out: Any) -> None:
    for i in range(values.size):
        out[i] = 2 * values[i]


def works(function: Any) -> None:
    values, out = np.arange(5), np.zeros(5, "i8")
    function(values, out)
    assert out.tolist() == [0, 2, 4, 6, 8]


def test_they_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    works(jit()(doubled))
    assert list(tmp_path.rglob("*doubled*.nbi"))


def test_where_nothing_can_be_kept_they_work_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package in an image, which is read-only, and an account without a home."""
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="no locator"):
        numba.njit(cache=True)(doubled)
    works(jit()(doubled))
