"""A run folder as a completed run leaves it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nearfield.provenance.record import Record, new_run_id, write_record


def make_run(folder: Path, **changes: Any) -> Record:
    """A completed run with two outputs, one in a folder of its own."""
    contents = {"t.ipynb": b"{}", "plots/a.png": b"png"}
    outputs = []
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        outputs.append(
            {
                "path": path, "size": len(content), "media_type": "x/y",
                "sha256": hashlib.sha256(content).hexdigest(),
            }
        )  # fmt: skip
    now = datetime.now(UTC)
    record = Record.model_validate(
        {
            "run_id": new_run_id(now), "status": "completed",
            "template": {
                "name": "t", "version": "1.2", "title": "A template", "commit": "c" * 40,
                "notebook_sha256": "0" * 64, "card_sha256": "1" * 64,
            },
            "inputs": [{"pid": "raw-1", "title": "Raw", "techniques": ["NXsas"]}],
            "parameters": {"roi": [1, 2]}, "summary": {"total": 7}, "outputs": outputs,
            "folder": str(folder), "notebook": "t.ipynb", "started": now, "ended": now,
            "agent": "ada", "host": "node1", "nearfield": "0.1",
            "kernel": {"name": "python3", "language": "python", "version": "3.11.2"},
            "environment": {"NEARFIELD_IMAGE_DIGEST": "sha256:ab"},
            "capture_layers": ["declared-inputs"], "completeness": "all of it",
        } | changes
    )  # fmt: skip
    (folder / ".nearfield").mkdir()
    write_record(folder, record)
    return record
