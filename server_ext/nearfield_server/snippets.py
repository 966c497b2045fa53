"""The code that opens a dataset in a notebook cell."""

from __future__ import annotations

import json

from nearfield.datasets import Dataset


def snippet_of(dataset: Dataset) -> str:
    """Runs as it stands in a session: nothing to fill in."""
    # A PID may hold quotes; JSON's strings of printable ASCII are Python's too.
    return f"import nearfield\n\nds = nearfield.dataset({json.dumps(dataset.pid)})\nds"
