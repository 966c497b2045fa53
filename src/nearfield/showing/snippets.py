"""Code that opens a dataset, for a notebook's cell."""

from __future__ import annotations

import json

from nearfield.datasets import Dataset
from nearfield.querying.pids import is_unique

_HDF5 = frozenset((".h5", ".hdf5", ".hdf", ".he5", ".nx", ".nx5", ".nxs", ".cxi", ".nxspe"))


def snippet(dataset: Dataset) -> str:
    """Runs as it stands: it gives the dataset, and opens its signal where a file has one here."""
    said = [_text(dataset.pid)]
    if dataset.source and not is_unique(dataset.pid):
        # Another catalogue may have the same number for something else.
        said.append(f"source={_text(dataset.source)}")
    opening = _opening(dataset)
    imports = ["import h5py", "import nearfield"] if opening else ["import nearfield"]
    lines = [*imports, "", f"ds = nearfield.dataset({', '.join(said)})", *opening, "ds"]
    return "\n".join(lines)


def _opening(dataset: Dataset) -> list[str]:
    root = dataset.root_file
    signal = next((array for array in dataset.arrays if array.signal), None)
    if root is None or signal is None or dataset.availability in ("remote", "tape"):
        return []
    suffix = "." + root.path.rpartition(".")[2].lower()
    if suffix not in _HDF5:
        return []
    shape = " x ".join(map(str, signal.shape))
    units = f" {signal.units}" if signal.units and signal.units.isprintable() else ""
    return [
        'file = h5py.File(ds.root_file.path, "r")',
        f"signal = file[{_text(signal.path)}]  # {shape} {signal.dtype}{units}".rstrip(),
    ]


def _text(text: str) -> str:
    """As Python source. JSON's strings are Python's too, but for what it writes as two halves."""
    return json.dumps(text) if all(c <= "\uffff" for c in text) else ascii(text)
