"""What ``import nearfield`` costs: time over that of a bare interpreter, median of N pairs.

``python benchmarks/import_time.py [N]`` prints the result as JSON and writes it to
``benchmarks/results/import_time.json``. Bare and importing starts alternate, so that a change of
the machine's speed meets both alike.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

LIMIT_MS = 50.0
RESULT = Path(__file__).parent / "results/import_time.json"


def start(code: str) -> float:
    """Milliseconds for an interpreter to start, run ``code`` and end."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return (time.perf_counter() - began) * 1000


def main() -> int:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 21
    for code in ("pass", "import nearfield"):
        start(code)
    bare, whole = [], []
    for _ in range(pairs):
        bare.append(start("pass"))
        whole.append(start("import nearfield"))
    over = statistics.median(b - a for a, b in zip(bare, whole, strict=True))
    result = {
        "benchmark": "import_time",
        "median_ms_over_bare": round(over, 2),
        "limit_ms": LIMIT_MS,
        "within_limit": over < LIMIT_MS,
        "bare_ms": round(statistics.median(bare), 2),
        "import_ms": round(statistics.median(whole), 2),
        "pairs": pairs,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    text = json.dumps(result, indent=2)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text + "\n")
    print(text)
    return 0 if result["within_limit"] else 1


if __name__ == "__main__":
    sys.exit(main())
