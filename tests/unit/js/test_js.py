"""The tests of js/, run by Node's own runner."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MAKE = Path(__file__).resolve().parents[3] / "js/make.py"


def test_the_logic_of_the_pages() -> None:
    done = subprocess.run(
        [sys.executable, str(MAKE), "test"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
