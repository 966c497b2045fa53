"""Synthetic data for tests: files that say so, and records without files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nearfield.datasets import Access, DataFile, Dataset
from nearfield.sample_data import (
    make_master,
    make_openpmd,
    make_sample_data,
    make_stack,
    ring_frames,
)

__all__ = [
    "make_linked",
    "make_master",
    "make_openpmd",
    "make_sample_data",
    "make_stack",
    "ring_frames",
    "synthetic_dataset",
]

DAY_ONE = datetime(2024, 1, 1, 12, tzinfo=UTC)


def synthetic_dataset(number: int = 0, **fields: Any) -> Dataset:
    """A raw, public record with one file; ``number`` days after the first of January 2024."""
    path = f"/data/synthetic/scan_{number:05d}.h5"
    values: dict[str, Any] = {
        "pid": f"synthetic-{number:05d}",
        "title": f"synthetic measurement {number}",
        "format": "NeXus",
        "start_time": DAY_ONE + timedelta(days=number),
        "source_folder": "/data/synthetic",
        "files": (DataFile(path=path, size=1000, mtime=DAY_ONE),),
        "size": 1000,
        "access": Access(owner="alice", public=True),
    }
    return Dataset(**{**values, **fields})


def make_linked(path: Path, title: str | None = None, **links: str) -> Path:
    """A small file; ``links`` are external links by name, to ``/x`` of another file."""
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(5)
        if title:
            file.attrs["title"] = title
        for name, target in links.items():
            file[name] = h5py.ExternalLink(target, "/x")
    return path
