"""A port counts once the session's own server listens there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from nearfield.scheduler.node import ports
from standins.node_job import SERVER, stage, start, until_said


@pytest.mark.enable_socket
def test_a_port_counts_only_if_the_server_itself_listens() -> None:
    with socket.socket() as mine:
        mine.bind(("127.0.0.1", 0))
        port = mine.getsockname()[1]
        assert not ports.is_ours(port, os.getpid())  # bound is not listening
        mine.listen()
        assert ports.is_ours(port, os.getpid())
        assert ports.taken("127.0.0.1", port)
        other = subprocess.Popen(["/bin/sleep", "30"], close_fds=True)
        try:
            assert not ports.is_ours(port, other.pid)  # the same account, another process
        finally:
            other.kill()
            other.wait()
    assert not ports.taken("127.0.0.1", port)


def test_a_socket_of_another_account_never_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(os.getuid(), "1"), (4711, "2")]
    monkeypatch.setattr(ports, "listeners", lambda _port: found)
    assert not ports.is_ours(1, os.getpid())


def test_a_port_that_was_taken_meanwhile_is_changed(tmp_path: Path) -> None:
    """The first start finds its port taken by somebody else, the second does not."""
    thief = (
        "import os, subprocess, sys, urllib.parse\n"
        "mark = sys.argv[1]\n"
        "if not os.path.exists(mark):\n"
        "    open(mark, 'w').close()\n"
        "    port = urllib.parse.urlsplit(os.environ['JUPYTERHUB_SERVICE_URL']).port\n"
        "    code = 'import socket, sys, time; s = socket.socket(); '\\\n"
        "        's.bind((\"127.0.0.1\", int(sys.argv[1]))); s.listen(); '\\\n"
        "        'print(\"stolen\", flush=True); time.sleep(20)'\n"
        "    argv = [sys.executable, '-c', code, str(port)]\n"
        "    p = subprocess.Popen(argv, stdout=subprocess.PIPE)\n"
        "    p.stdout.readline()\n"
        "    os._exit(1)\n"
    )
    folder = stage(
        tmp_path / "nf-1",
        {"command": [sys.executable, "-I", "-c", thief + SERVER, str(tmp_path / "mark")]},
    )
    job = start(folder)
    assert job.stdout is not None
    with job.stdout:
        seen = until_said(job, "listens")
        assert "was taken meanwhile" in seen
        os.kill(job.pid, signal.SIGTERM)
        job.stdout.read()
    assert job.wait(10) == 143
