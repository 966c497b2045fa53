"""What the node takes for an image before it asks Apptainer."""

from __future__ import annotations

from pathlib import Path

import pytest

from nearfield.scheduler.node.checks import why_no_image


@pytest.mark.parametrize(
    "head",
    [
        b"#!/usr/bin/env run-singularity\n".ljust(32, b"\0") + b"SIF_MAGIC\0",
        b"hsqs" + bytes(100),
        bytes(1080) + b"\x53\xef" + bytes(100),
    ],
    ids=["sif", "squashfs", "ext3"],
)
def test_what_apptainer_runs(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "a.sif"
    path.write_bytes(head)
    assert why_no_image(str(path)) == ""


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b"root:x:0:0\n" * 200, "it is no Apptainer image"),
        (bytes(1080) + b"\x53", "it is no Apptainer image"),
    ],
)
def test_what_is_none(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "a.sif"
    path.write_bytes(content)
    assert why_no_image(str(path)) == why
