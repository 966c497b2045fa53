"""Kernels that start inside an image, and the site's own runtime around them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nearfield.scheduler.node import kernels, runtime, sif
from nearfield.scheduler.node.session import NotStarted
from standins.sif import sif_file


def test_a_kernel_starts_in_the_image_that_the_session_began_with(tmp_path: Path) -> None:
    path = sif_file(tmp_path / "a.sif", (0x4004, 2, b"squash"))
    with path.open("rb") as file:
        identity = sif.identity_of(os.fstat(file.fileno()))
    code = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"
    task = {"image": str(path), "signature": {"rule": "required"}}
    start = kernels.kernel_start(
        task, [sys.executable, "-Ic", code, "--mount", "x"], identity, ["python3"]
    )
    kernels.write_kernel(str(tmp_path), "python3", "Analysis", start, python=sys.executable)
    spec = json.loads((tmp_path / "jupyter/kernels/python3/kernel.json").read_text())
    assert spec["display_name"] == "Analysis"
    argv = [word.replace("{connection_file}", "/s/$(id).json") for word in spec["argv"]]
    env = {"PYTHONPATH": "/x", "LD_LIBRARY_PATH": "/x", "VIRTUAL_ENV": "/x", "KEEP": "me",
           "NEARFIELD_DATA": "/home"}  # fmt: skip
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    given, seen = json.loads(done.stdout)
    assert given[:2] == ["--mount", "x"]
    assert re.fullmatch(r"/proc/self/fd/\d+", given[2])
    assert given[3:] == ["python3", "-f", "/s/$(id).json"]
    assert (seen["KEEP"], seen["NEARFIELD_DATA"]) == ("me", "/data")
    assert not {"PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV"} & set(seen)
    path.write_bytes(path.read_bytes() + b"x")
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "was changed since this session began" in done.stderr


def test_a_venv_comes_first_on_the_path() -> None:
    made = runtime.with_runtime({"PATH": "/bin"}, {"venv": "/v", "modules": []})
    assert made == {"PATH": "/v/bin:/bin", "VIRTUAL_ENV": "/v"}


INIT = """
echo "this goes nowhere"
module() {
    [ "$1" = load ] || return 2
    shift
    for name in "$@"; do
        [ "$name" != nosuch/1 ] || { echo "ERROR: no module nosuch/1" >&2; return 1; }
        LOADEDMODULES="${LOADEDMODULES:+$LOADEDMODULES:}$name"
    done
    NEWLINE="a
b"
    export LOADEDMODULES NEWLINE PATH="/opt/$1:$PATH"
}
"""


def test_modules_are_loaded_by_the_sites_own_script(tmp_path: Path) -> None:
    (tmp_path / "init.sh").write_text(INIT)
    rule = {
        "venv": None,
        "modules": ["python/3.12", "jupyter"],
        "modules_init": str(tmp_path / "init.sh"),
    }
    made = runtime.with_runtime({"PATH": "/usr/bin:/bin"}, rule)
    assert made["LOADEDMODULES"] == "python/3.12:jupyter"
    assert made["PATH"].startswith("/opt/python/3.12:")
    assert made["NEWLINE"] == "a\nb"
    with pytest.raises(
        NotStarted, match=r"modules nosuch/1 cannot be loaded on .*no module nosuch/1"
    ):
        runtime.with_runtime({"PATH": "/bin"}, rule | {"modules": ["nosuch/1"]})
    with pytest.raises(NotStarted, match="cannot be loaded"):
        runtime.with_runtime({"PATH": "/bin"}, rule | {"modules_init": "/nosuch"})
