"""Results as JSON and Markdown, with the machine they were taken on."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "results"


@dataclass(frozen=True)
class Target:
    """A promise and what was measured."""

    what: str
    measured: float
    most: float | None = None
    least: float | None = None

    @property
    def met(self) -> bool:
        above = self.most is not None and self.measured > self.most
        return not above and (self.least is None or self.measured >= self.least)

    def limits(self) -> dict[str, float]:
        both = {"most": self.most, "least": self.least}
        return {name: limit for name, limit in both.items() if limit is not None}

    def line(self) -> str:
        verdict = "met" if self.met else "**missed**"
        signs = {"most": "≤", "least": "≥"}
        limits = " and ".join(f"{signs[n]} {limit:.3g}" for n, limit in self.limits().items())
        return f"| {self.what} | {self.measured:.3g} | {limits} | {verdict} |"


@dataclass
class Report:
    """One benchmark's result. ``write`` prints a summary and tells whether all targets are met."""

    name: str
    title: str
    how: str
    data: dict[str, Any] = field(default_factory=dict)
    targets: list[Target] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a reader must know beside: what could not be measured here."""

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
        self.tables.append("\n".join(lines))

    def write(self) -> bool:
        facts = machine()
        RESULTS.mkdir(exist_ok=True)
        found = {
            "benchmark": self.name,
            "taken": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": facts,
            "targets": [
                {"what": t.what, "measured": t.measured, **t.limits(), "met": t.met}
                for t in self.targets
            ],
            **self.data,
        }
        (RESULTS / f"{self.name}.json").write_text(json.dumps(found, indent=1) + "\n")
        goals = ["| target | measured | limit | |", "|---|---|---|---|"]
        goals += [target.line() for target in self.targets]
        text = "\n\n".join(
            [
                f"# {self.title}",
                self.how,
                "\n".join(goals),
                *self.tables,
                *self.notes,
                "Taken "
                + found["taken"]
                + " on "
                + ", ".join(f"{k} {v}" for k, v in facts.items()),
            ]
        )
        (RESULTS / f"{self.name}.md").write_text(text + "\n")
        print(text)
        return all(target.met for target in self.targets)


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def machine() -> dict[str, Any]:
    """What a reader must know to compare."""
    with Path("/proc/meminfo").open() as file:
        memory = int(file.readline().split()[1]) // 1024
    slurm = subprocess.run(
        ["/usr/bin/sinfo", "-V"], capture_output=True, text=True, check=False
    ).stdout
    return {
        "cores": os.cpu_count(),
        "memory_mb": memory,
        "load_before": round(os.getloadavg()[2], 2),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "slurm": slurm.strip().removeprefix("slurm-wlm "),
        "jupyterhub": version("jupyterhub"),
        "batchspawner": version("batchspawner"),
        "nearfield": version("nearfield"),
    }
