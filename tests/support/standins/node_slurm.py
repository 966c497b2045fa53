"""Slurm on a node, as scripts that remember what they were asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nearfield.config import Hardware
from nearfield.scheduler.node.ledger import Ledger
from nearfield.scheduler.node.slurm import NodeSlurm
from standins.node_job import session_of

_SBATCH = r"""
printf '%s\n' "$@" >>{log}/options
cat >{log}/script
env >{log}/environment
[ ! -e {log}/sbatch-fails ] || {{ cat {log}/sbatch-fails >&2; exit 1; }}
case "$1" in --test-only)
    echo "sbatch: Job 7 to start at 2026-01-01T00:00:00 using 1 processors" >&2; exit 0;;
esac
number=$(($(cat {log}/number 2>/dev/null || echo 100) + 1))
echo $number >{log}/number
echo "$number|RUNNING|na1|2026-01-01T00:00:00|2026-01-01T01:00:00|None" >>{log}/queue
echo "a plugin says hello"; echo "$number;lab"
"""
_SQUEUE = """
echo asked >>{log}/looks
[ ! -e {log}/down ] || {{ echo 'squeue: error: Unable to contact slurm controller' >&2; exit 1; }}
cat {log}/queue
"""
_SACCT = "cat {log}/accounting 2>/dev/null"
_SCANCEL = r"""
[ ! -e {log}/down ] || {{ echo 'scancel: error: Unable to contact slurm controller' >&2; exit 1; }}
printf '%s\n' "$@" >>{log}/cancelled
"""


class SlurmOfNode:
    """The commands in ``folder``; ``log`` is what they were asked, and what they answer from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "bin"
        self.log = folder / "slurm"
        self.folder.mkdir()
        self.log.mkdir()
        (self.log / "queue").touch()
        bodies = {"sbatch": _SBATCH, "squeue": _SQUEUE, "sacct": _SACCT, "scancel": _SCANCEL}
        for name, body in bodies.items():
            path = self.folder / name
            path.write_text("#!/bin/sh\n" + body.format(log=self.log) + "\n")
            path.chmod(0o755)

    def told(self, name: str) -> list[str]:
        """``options``, ``script``, ``environment``, ``cancelled`` or ``looks``: its lines."""
        path = self.log / name
        return path.read_text().splitlines() if path.exists() else []

    def hangs(self, command: str) -> None:
        """That command never answers; it is a script, as at sites that wrap theirs."""
        body = f"#!/bin/sh\nsleep 3600 &\necho $! >{self.log}/sleeps\nwait\n"
        (self.folder / command).write_text(body)

    def says(self, name: str, *lines: str) -> None:
        """What ``queue`` and ``accounting`` hold; ``sbatch-fails``, ``down`` make commands fail."""
        (self.log / name).write_text("".join(line + "\n" for line in lines))


def ledger_of(slurm: SlurmOfNode, sessions: Path, program: str = "pass\n", **task: Any) -> Ledger:
    """The worker jobs of a session whose folder is below ``sessions``."""
    folder = sessions / "nearfield-0123456789abcdef"
    (folder / "data").mkdir(parents=True)
    hardware = Hardware(partition="short", constraint="storage-a", cores=4, memory_mb=8000)
    given = {"workers": 2, "slurm": str(slurm.folder), "ports": None, "sources": {}} | task
    session = session_of(given, hardware=json.loads(hardware.model_dump_json()))
    session["name"] = folder.name
    return Ledger(str(folder), session, NodeSlurm(str(slurm.folder)), program)
