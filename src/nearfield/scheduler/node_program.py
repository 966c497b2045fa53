"""The node program as one text: the modules of :mod:`nearfield.scheduler.node`, joined."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ORDER = (
    "session",
    "links",
    "readable",
    "checks",
    "sif",
    "signature",
    "examine",
    "image",
    "layer",
    "kernels",
    "runtime",
    "environment",
    "processes",
    "ports",
    "hub",
    "limit",
    "server",
    "batch",
    "states",
    "slurm",
    "ledger",
    "jobs",
    "worker",
    "story",
)
"""Each uses only those before it."""


@cache
def text() -> str:
    """What a batch script runs on its node."""
    folder = Path(__file__).parent / "node"
    parts = [_alone((folder / f"{name}.py").read_text(encoding="utf-8")) for name in ORDER]
    return "\n".join(parts) + '\nif __name__ == "__main__":\n    run_on_node(sys.argv[1])\n'


def _alone(source: str) -> str:
    """A module without its imports of the others: in one text there is nothing to import."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nearfield."):
            for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                lines[number - 1] = ""
    return "\n".join(lines) + "\n"
