"""The JupyterLab extension in js/lab: yarn's packages once, esbuild's bundle, JupyterLab's frame.

``jlpm`` and ``jupyter-builder`` come with JupyterLab from PyPI. esbuild joins what the extension
shares with the other pages (js/src) and leaves JupyterLab's own packages to JupyterLab, which
gives one copy of them to all extensions.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from nearfield.demo.proxy import node
from nearfield.errors import BlockedError

HERE = Path(__file__).resolve().parent / "lab"
BUILT = HERE.parents[1] / "build/labextension"
SHARED = HERE / "labextension"
MODULES = HERE / "node_modules"
OF_JUPYTERLAB = ("@jupyterlab/*", "@lumino/*")
# pip copies SHARED when it installs; what is built after that must go here as well.
INSTALLED = Path(sys.prefix) / "share/jupyter/labextensions/@nearfield/lab"


def build() -> None:
    """Make js/lab/labextension and put it where this environment's JupyterLab finds it.

    Raises:
        BlockedError: a step failed; its own words follow.
    """
    install()
    sources = ["src/index.ts", "--bundle", "--format=esm", "--target=es2022", "--charset=utf8"]
    outside = [f"--external:{name}" for name in OF_JUPYTERLAB]
    esbuild = HERE.parent / "node_modules/esbuild/bin/esbuild"
    out = ["--outdir=lib", "--log-level=warning"]
    _run("esbuild", str(node()), str(esbuild), *sources, *outside, *out)
    _run("jupyter-builder", _beside_python("jupyter-builder"), "build", ".")
    shutil.copy(HERE / "install.json", BUILT)
    for place in (SHARED, INSTALLED):
        for old in ("static", "schemas"):
            shutil.rmtree(place / old, ignore_errors=True)
        shutil.copytree(BUILT, place, dirs_exist_ok=True)


def install() -> None:
    """Fetch the packages of yarn.lock; nothing to do where they are there.

    Raises:
        BlockedError: yarn failed; its own words follow.
    """
    lock = (HERE / "package.json").read_bytes() + (HERE / "yarn.lock").read_bytes()
    stamp = MODULES / ".installed-from"
    if stamp.is_file() and stamp.read_bytes() == lock:
        return
    print("    yarn packages of js/lab (1 to 2 minutes the first time)", flush=True)
    _run(
        "yarn",
        _beside_python("jlpm"),
        "install",
        "--immutable",
        hint="check that this machine reaches the npm registry (a proxy? YARN_HTTPS_PROXY, "
        "NODE_EXTRA_CA_CERTS? a mirror? YARN_NPM_REGISTRY_SERVER)",
    )
    stamp.write_bytes(lock)


def _beside_python(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _run(name: str, *argv: str, hint: str | None = None) -> None:
    """One step; its output only where it failed."""
    path = os.pathsep.join([str(node().parent), str(Path(sys.executable).parent), os.defpath])
    cache = HERE.parents[1] / "build/yarn-cache"
    env = {**os.environ, "PATH": path, "YARN_CACHE_FOLDER": str(cache), "CI": "1"}
    done = subprocess.run(
        argv,
        cwd=HERE,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BlockedError(f"{name} failed in js/lab:\n{done.stdout[-3000:]}", hint=hint)
