"""A submit host: a real sshd of our own on loopback, with a gateway account behind it.

Everything lies below one folder of root's: configuration, host key, the hub's key. Nothing of the
host's own sshd is read or changed.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from free_port import free_port

HUB_USER = "jhub"
GATE, GATE_UID = "nfgate", 20101
PRIVSEP = Path("/run/sshd")
SUDOERS = Path("/etc/sudoers.d/nearfield-pytest-gate")


def processes_of(uid: int) -> list[int]:
    """What runs as an account; nobody but us has processes of the gateway's."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                found.append(int(entry.name))
    return found


@dataclass
class SubmitHost:
    """``start`` and ``stop`` it; ``venv`` is where its launcher and gateway are installed."""

    folder: Path
    venv: Path
    people: str = "%slurmlab"
    """Whom sudoers lets the gateway account act for."""
    port: int = 0
    _sshd: subprocess.Popen[bytes] | None = None
    _made: list[str] = field(default_factory=list)

    @property
    def key(self) -> Path:
        """The hub's private key."""
        return self.folder / "hub" / "id"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "hub" / "known_hosts"

    @property
    def settings(self) -> dict[str, Any]:
        """``ssh:`` of the hub's nearfield.yaml."""
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "user": GATE,
            "key": str(self.key),
            "known_hosts": str(self.known_hosts),
        }

    def prepare(self) -> None:
        """Account, keys, sudoers line, configuration."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("", "home", "hub"):
            (self.folder / name).mkdir(mode=0o755)
        self._make_account()
        self._make_key("host", self.folder / "host_key")
        self._make_key("hub", self.key)
        self.port = free_port()
        self.know(self.folder / "host_key.pub")
        public = self.key.with_suffix(".pub").read_text()
        program = f"{self.venv}/bin/python -I -m nearfield.gateway"
        (self.folder / "authorized_keys").write_text(f'restrict,command="{program}" {public}')
        (self.folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{self.port}\n"
            f"HostKey {self.folder}/host_key\n"
            f"AuthorizedKeysFile {self.folder}/authorized_keys\n"
            f"PidFile {self.folder}/sshd.pid\n"
            "UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        )
        SUDOERS.write_text(
            f"Defaults:{GATE} env_reset, !setenv, !requiretty, !syslog, !pam_session\n"
            f'{GATE} ALL=({self.people}) NOPASSWD:NOSETENV: {self.venv}/bin/nearfield-launch ""\n'
        )
        SUDOERS.chmod(0o440)
        hub = pwd.getpwnam(HUB_USER)
        for path in (self.folder / "hub", *(self.folder / "hub").iterdir()):
            os.chown(path, hub.pw_uid, hub.pw_gid)

    def know(self, public_key: Path) -> None:
        """The hub takes the host with this key, and no other, for the submit host."""
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public_key.read_text()}")

    def other_key(self) -> Path:
        """The public key of another host."""
        path = self.folder / "other_key"
        if not path.exists():
            self._make_key("other", path)
        return path.with_suffix(".pub")

    def start(self) -> None:
        if not PRIVSEP.exists():
            PRIVSEP.mkdir(mode=0o755)
            self._made.append("privsep")
        log = self.folder / "sshd.log"
        self._sshd = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-f", self.folder / "sshd_config", "-E", log],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert self._sshd.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.02)

    def stop(self) -> None:
        """sshd is gone, and the connections that it has break."""
        if self._sshd is not None:
            # It must not take a new connection between the end of the last one and its own.
            self._sshd.send_signal(signal.SIGSTOP)
            listed = f"/proc/{self._sshd.pid}/task/{self._sshd.pid}/children"
            for child in Path(listed).read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)
            end = time.monotonic() + 10
            while left := processes_of(GATE_UID):
                assert time.monotonic() < end, f"processes of {GATE} do not end: {left}"
                for pid in left:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.05)
            self._sshd.kill()
            self._sshd.wait(10)
            self._sshd = None

    def remove(self) -> None:
        self.stop()
        SUDOERS.unlink(missing_ok=True)
        if "privsep" in self._made:
            PRIVSEP.rmdir()
        if "account" in self._made:
            subprocess.run(["/usr/sbin/userdel", GATE], check=True, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make_account(self) -> None:
        home = str(self.folder / "home")  # root's own: no start-up file runs there
        try:
            found = pwd.getpwnam(GATE)
        except KeyError:
            options = ["-r", "-K", "SYS_UID_MAX=60000", "-M", "-U", "-s", "/bin/sh", "-p", "*"]
            argv = ["/usr/sbin/useradd", *options, "-d", home, "-u", str(GATE_UID), GATE]
            subprocess.run(argv, check=True, capture_output=True)
        else:
            assert found.pw_uid == GATE_UID, f"{GATE} is somebody else's account here"
        self._made.append("account")

    def _make_key(self, name: str, path: Path) -> None:
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
        subprocess.run(argv, check=True, capture_output=True)
