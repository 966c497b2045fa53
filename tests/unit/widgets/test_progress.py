"""The bar of a reduction without a browser: what it is told, and its bundle."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from nearfield.reductions.telling.notebook import GROUP
from nearfield_widgets import progress
from nearfield_widgets._bundles import STATIC


def test_it_is_what_the_core_finds() -> None:
    [found] = entry_points(group=GROUP)
    assert found.load() is progress.ReductionProgress


def test_it_shows_what_it_is_told() -> None:
    made = progress.ReductionProgress()
    made.show(0.5, "half of it")
    assert (made.share, made.words) == (0.5, "half of it")
    assert made._repr_mimebundle_()[0]["text/plain"] == "reduce: half of it"
    made.close()


def test_its_button_is_jupyterlabs_own_command() -> None:
    assert "notebook:interrupt-kernel" in (STATIC / "progress.js").read_text()


def test_one_that_was_not_built_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(progress, "STATIC", tmp_path)
    with pytest.raises(FileNotFoundError):
        progress.ReductionProgress()
