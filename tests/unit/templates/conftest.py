"""Template folders made for a test."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml


def code(source: str, *tags: str) -> dict[str, Any]:
    return {
        "cell_type": "code", "id": f"c{abs(hash(source)) % 10**8}", "execution_count": None,
        "metadata": {"tags": list(tags)}, "outputs": [], "source": source,
    }  # fmt: skip


@pytest.fixture
def make_template(tmp_path: Path) -> Callable[..., Path]:
    """Makes a template folder; ``card`` is merged into a small card, ``cells`` are the code."""

    def make(
        name: str = "small", cells: tuple[str, ...] = ("x = 1",), where: Path | None = None,
        **card: Any,
    ) -> Path:  # fmt: skip
        folder = (where or tmp_path / "templates") / name
        folder.mkdir(parents=True)
        content = {"name": name, "version": "1.0", "title": "Small"} | card
        (folder / "card.yaml").write_text(yaml.safe_dump(content))
        (folder / "README.md").write_text("Small.\n")
        first, *others = cells
        notebook = {
            "nbformat": 4, "nbformat_minor": 5,
            "metadata": {"kernelspec": {"name": "python3", "language": "python"}},
            "cells": [code(first, "parameters"), *(code(other) for other in others)],
        }  # fmt: skip
        (folder / "template.ipynb").write_text(json.dumps(notebook))
        return folder

    return make
