"""The demo's folder: sample data, configuration, secrets; made anew where it is missing."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import secrets
import shlex
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from nearfield.config import DEMO_MARK, written_by_demo
from nearfield.errors import BlockedError, UsageError

LOCK = "demo.lock"
_ELSEWHERE = "choose another folder: nearfield demo --dir DIR, or make demo DEMO_DIR=DIR"
# The file browser shows the home alone: a link leads from there to the session's datasets. One for
# each server, made anew at its start, so that two at once have two.
_LINK_DATA = (
    'link="$HOME/data${JUPYTERHUB_SERVER_NAME:+-$JUPYTERHUB_SERVER_NAME}"; '
    'if [ -L "$link" ] || ! [ -e "$link" ]; then ln -sfn "$NEARFIELD_DATA" "$link"; fi; exec "$@"'
)


@dataclass(frozen=True)
class Layout:
    """Paths, ports and secrets of one demo."""

    folder: Path
    user: str
    password: str
    driver_token: str
    """Of the hub service that plays the user in HEADLESS mode."""
    proxy_token: str
    port: int
    hub_port: int
    api_port: int
    catalogue_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def catalogue_file(self) -> Path:
        return self.folder / "catalogue.sqlite"

    @property
    def config_file(self) -> Path:
        return self.folder / "nearfield.yaml"

    @property
    def secrets_file(self) -> Path:
        return self.folder / "demo.json"

    @property
    def log(self) -> Path:
        return self.folder / "hub.log"


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[Path]:
    """Make ``folder`` and hold it for one demo at a time; gives its absolute path.

    Raises:
        UsageError: it holds something that is not a demo's.
        BlockedError: it cannot be made, or another demo runs there.
    """
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strange = any(p.name != LOCK for p in folder.iterdir())
        if strange and not (folder / "demo.json").exists():
            raise UsageError(f"{folder} is not empty and was not made by the demo", hint=_ELSEWHERE)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BlockedError(
            f"{folder}: cannot be used: {error.strerror}", hint=_ELSEWHERE
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield folder
    except BlockingIOError:
        there = folder / "demo.json"
        at = f" at {read(there).url}" if there.exists() else ""
        raise BlockedError(
            f"a demo runs in {folder} already{at}",
            hint=f"use that one, end it with Ctrl-C, or {_ELSEWHERE}",
        ) from None
    finally:
        os.close(lock)


def prepare(folder: Path, port: int | None = None) -> Layout:
    """Make a claimed folder ready.

    Raises:
        BlockedError: the port is taken.
    """
    folder.chmod(0o700)
    with _held_ports(4, port) as ports:
        layout = Layout(
            folder=folder,
            user=getpass.getuser(),
            password=secrets.token_urlsafe(9),
            driver_token=secrets.token_hex(24),
            proxy_token=secrets.token_hex(24),
            port=ports[0],
            hub_port=ports[1],
            api_port=ports[2],
            catalogue_port=ports[3],
        )
    layout.home.mkdir(exist_ok=True)
    _write_private(layout.secrets_file, json.dumps(asdict(layout) | {"folder": str(folder)}))
    write_config(layout)
    return layout


def write_config(layout: Layout) -> None:
    """The demo's ``nearfield.yaml``."""
    layout.config_file.write_text(DEMO_MARK + yaml.safe_dump(_config(layout), sort_keys=False))


def read(secrets_file: Path) -> Layout:
    """The layout that :func:`prepare` wrote."""
    data: dict[str, Any] = json.loads(secrets_file.read_text())
    return Layout(**(data | {"folder": Path(data["folder"])}))


def _config(layout: Layout) -> dict[str, Any]:
    return {
        "catalogue": {
            "name": "demo",
            "driver": "embedded",
            "path": str(layout.catalogue_file),
            # Sessions reach the file only through the hub's service.
            "url": f"{layout.url}/services/catalogue",
        },
        "storages": {
            "sample-data": {"prefix": str(layout.data)},
            "results": {"prefix": str(layout.home), "read_only": False},
        },
        "clusters": {
            "local": {
                "scheduler": "local",
                "state": str(layout.folder / "jobs"),
                "poll_seconds": 0.3,
            }
        },
        "environments": {
            "default": {
                "title": "This Python environment",
                # Jupyter, IPython and matplotlib write below HOME: keep that in the folder.
                "command": [
                    "/usr/bin/env",
                    f"HOME={layout.home}",
                    # `nearfield` in a session means this demo, whichever was started last.
                    f"NEARFIELD_CONFIG={layout.config_file}",
                    *("/bin/sh", "-c", _LINK_DATA, "nearfield"),
                    str(Path(sys.executable).parent / "nearfield-singleuser"),
                    # Jupyter refuses root unless told; a container or CI often has nobody else.
                    *(["--allow-root"] if os.geteuid() == 0 else []),
                    # No login shell: /etc/profile would take this Python's commands off PATH.
                    f"--ServerApp.terminado_settings={{'shell_command': ['{_shell()}']}}",
                ],
            }
        },
        "hardware": {"local": {"title": "This machine", "cluster": "local", "minutes": 480}},
        "profiles": {
            "default": {"title": "On this machine", "environment": "default", "hardware": "local"}
        },
    }


def _shell() -> str:
    return shutil.which("bash") or "/bin/sh"


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)


def remember(layout: Layout) -> str:
    """Let ``nearfield`` of this virtual environment find the demo's catalogue afterwards.

    Returns which configuration the command line uses now, in words.
    """
    other = f"this demo: nearfield --config {shlex.quote(str(layout.config_file))}"
    if sys.prefix == sys.base_prefix:
        return other
    found = Path(sys.prefix) / "etc/nearfield/nearfield.yaml"
    if found.exists() and not written_by_demo(found):
        # A real configuration: not ours to replace.
        return f"`nearfield` of {sys.prefix} keeps {found}; {other}"
    found.parent.mkdir(parents=True, exist_ok=True)
    found.write_text(layout.config_file.read_text())
    return f"`nearfield` of {sys.prefix} uses the demo in {layout.folder} from now on"


@contextlib.contextmanager
def _held_ports(count: int, first: int | None) -> Any:
    """Free ports on the loopback, held open until all are chosen so that no two are the same."""
    with contextlib.ExitStack() as stack:
        ports = []
        for index in range(count):
            wanted = first if index == 0 and first else 0
            sock = stack.enter_context(socket.socket())
            try:
                sock.bind(("127.0.0.1", wanted))
            except OSError as error:
                raise BlockedError(
                    f"port {wanted} of 127.0.0.1 is taken", hint="choose another with --port"
                ) from error
            ports.append(sock.getsockname()[1])
        yield ports
