"""A cluster as recorded."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nearfield.checking.asking import ask_facts
from nearfield.checking.facts import Facts
from nearfield.scheduler.commands import Result

SAMPLES = Path(__file__).parent / "samples"


def sample(name: str) -> str:
    return (SAMPLES / f"{name}-22.05.txt").read_text()


def recorded(command: str, *args: str) -> Result:
    """What the test cluster answered."""
    word = next(w for w in reversed(args) if w.isalpha())
    return Result(0, sample(word), "")


@pytest.fixture
def answers() -> Callable[..., Result]:
    """Answers each command as recorded."""
    return recorded


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> Facts:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return ask_facts(recorded)
