"""The demo's hub ends with the demo, whenever that is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# A process of its own: it ends all of its children.
STOPPED_WHILE_IT_STARTS = """
import subprocess, sys
from pathlib import Path
from types import SimpleNamespace
from nearfield.demo import hub

class Interrupted(subprocess.Popen):
    def _execute_child(self, *args, **kwargs):
        super()._execute_child(*args, **kwargs)
        raise KeyboardInterrupt

hub.subprocess = SimpleNamespace(**{**vars(subprocess), "Popen": Interrupted})
hub._environment = lambda layout: {}
folder = Path(sys.argv[1])
sys.executable = str(folder / "hub")
place = SimpleNamespace(folder=folder, log=folder / "hub.log")
try:
    with hub.running_hub(place):
        raise AssertionError("it never started")
except KeyboardInterrupt:
    print(hub._children())
"""


def test_ctrl_c_between_the_hubs_start_and_our_knowing_of_it(tmp_path: Path) -> None:
    stand_in = tmp_path / "hub"
    stand_in.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    stand_in.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", STOPPED_WHILE_IT_STARTS, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "set()\n"), done.stderr
