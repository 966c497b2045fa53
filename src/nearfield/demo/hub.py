"""Start and end the demo's JupyterHub."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from nearfield.demo.layout import Layout
from nearfield.errors import BlockedError

START_SECONDS = 60


def _environment(layout: Layout) -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "NEARFIELD_"))}
    # Jupyter, IPython and matplotlib write below HOME: keep that in the demo's folder.
    for name in (
        "XDG_DATA_HOME",
        "XDG_CONFIG_HOME",
        "XDG_CACHE_HOME",
        "IPYTHONDIR",
        "MPLCONFIGDIR",
    ):
        env.pop(name, None)
    env["HOME"] = str(layout.home)
    env["NEARFIELD_DEMO"] = str(layout.secrets_file)
    env["PATH"] = f"{Path(sys.executable).parent}:{env.get('PATH', '/usr/bin:/bin')}"
    return env


@contextlib.contextmanager
def running_hub(layout: Layout) -> Iterator[subprocess.Popen[bytes]]:
    """A hub that answers; on leaving, it and what it started are ended.

    Raises:
        BlockedError: it did not come up; the end of its log follows.
    """
    config = Path(__file__).with_name("jupyterhub_config.py")
    _adopt_orphans()
    process: subprocess.Popen[bytes] | None = None
    try:
        with layout.log.open("wb") as log:
            # A session of its own: Ctrl-C reaches us, and we end the hub in order.
            process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", str(config)],
                cwd=layout.folder,
                env=_environment(layout),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _wait_until_up(layout, process)
        yield process
    finally:
        # Ctrl-C while the hub is being started leaves a child that nobody has told us of.
        if process is not None:
            _end(process)
        _end_descendants()


def _adopt_orphans() -> None:
    """What the hub starts and leaves behind becomes our child, so that we can end it.

    Its proxy, services and sessions are in sessions of their own: a hub that was killed while it
    started takes none of them along. prctl(2), PR_SET_CHILD_SUBREAPER.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def _end_descendants() -> None:
    for wait, name in ((5.0, signal.SIGTERM), (5.0, signal.SIGKILL)):
        deadline = time.monotonic() + wait
        told: set[int] = set()
        while (left := _children()) and time.monotonic() < deadline:
            for pid in left - told:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, name)
            told |= left
            time.sleep(0.05)


def _children() -> set[int]:
    """Living children of this process, adopted ones too; those that ended are collected."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


def _wait_until_up(layout: Layout, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    wanted = ("/hub/api/", "/services/catalogue/health")
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(httpx.HTTPError):
            if all(httpx.get(layout.url + path, timeout=5).status_code < 300 for path in wanted):
                return
        time.sleep(0.2)
    tail = layout.log.read_text(errors="replace")[-3000:]
    raise BlockedError(f"JupyterHub did not start; the end of {layout.log}:\n{tail}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """TERM lets the hub stop its servers, services and proxy; KILL only what does not listen."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
