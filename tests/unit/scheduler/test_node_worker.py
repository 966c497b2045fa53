"""A worker job on its node, from the folder that a session's host side has made for it."""

from __future__ import annotations

import json
import os
import signal
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from nearfield.scheduler.node import sif, worker
from nearfield.scheduler.node.examine import Examined
from nearfield.scheduler.node.jobs import Jobs
from nearfield.scheduler.node.session import NotStarted
from standins.node_job import run, start, until_said
from standins.node_slurm import SlurmOfNode, ledger_of
from standins.sif import sif_file

PEM = "-----BEGIN x\n"
PROGRAM = f"""#!{sys.executable} -I
import json, os, signal, sys, time
tls = {{}}
for word in sys.argv:
    if word.endswith(".pem"):
        assert os.stat(word).st_mode & 0o777 == 0o600
        with open(word) as file:
            tls[os.path.basename(word)] = file.read()
print("told", json.dumps([sys.argv[1:], tls, dict(os.environ)]), flush=True)
if "stays" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("ready", flush=True)
    time.sleep(60)
sys.exit(5)
"""


def queued(tmp_path: Path, name: str = "w-1", **task: Any) -> Path:
    """The folder of a worker job whose Python tells what it was given; named "stays" it stays."""
    python = tmp_path / "python"
    python.write_text(PROGRAM)
    python.chmod(0o755)
    ledger = ledger_of(SlurmOfNode(tmp_path), tmp_path / "sessions", **task)
    facts = {"node": "na1", "address": "10.99.0.11", "ends": None, "cores": 4, "minutes": 60}
    told = {"session_folder": ledger.folder, "identity": [], "digest": "", "layer": ""}
    jobs = Jobs(ledger, str(tmp_path), facts, told, lambda: 0)
    tls = {"ca": PEM + "1", "cert": PEM + "2", "key": PEM + "3"}
    request = {"verb": "start", "name": name, "scheduler": "tls://10.99.0.11:40123", "threads": 3,
               "python": str(python), "tls": tls}  # fmt: skip
    try:
        # The end of who asked would end the job.
        answer = jobs.answer(object(), json.dumps(request).encode())
        folder = tmp_path / "sessions" / answer["result"]["job_name"]
        ledger.end_all = lambda seconds: None  # type: ignore[method-assign]
    finally:
        jobs.close()
    return folder


def test_dask_gets_its_command_its_key_and_no_token(tmp_path: Path) -> None:
    folder = queued(tmp_path, ports=[20000, 20039])
    code, out = run(folder)
    assert code == 5
    [line] = [line for line in out.splitlines() if line.startswith("told ")]
    argv, tls, env = json.loads(line.removeprefix("told "))
    assert argv[:3] == ["-m", "distributed.cli.dask_worker", "tls://10.99.0.11:40123"]
    given = dict(pairwise(argv))
    scratch = given["--local-directory"]
    assert tls == {"ca.pem": PEM + "1", "cert.pem": PEM + "2", "key.pem": PEM + "3"}
    assert (given["--nthreads"], given["--memory-limit"]) == ("3", "7200MiB")
    assert (given["--name"], given["--worker-port"]) == ("w-1", "20000:20039")
    assert given["--host"] == "127.0.0.1"
    assert given["--dashboard-address"] == "127.0.0.1:0"
    assert int(given["--lifetime"].removesuffix("s")) in range(3600 - 60 - 30, 3600 - 60 + 1)
    assert (env["TMPDIR"], env["NEARFIELD_WORKER"]) == (scratch, "w-1")
    assert env["NEARFIELD_SESSION_DIR"] == str(folder.parent / "nearfield-0123456789abcdef")
    assert (env["OMP_NUM_THREADS"], env["NUMBA_NUM_THREADS"]) == ("1", "3")
    assert "NEARFIELD_JOBS" not in env, "workers start no workers"
    assert not Path(scratch).exists()
    assert not (folder / "environment.json").exists()
    assert json.loads((folder / "result.json").read_text())["exit_code"] == 5
    for path in folder.iterdir():
        assert "BEGIN" not in path.read_text()


def test_one_that_is_held_up_is_ended_before_slurm_does_it(tmp_path: Path) -> None:
    """With KILL after a few seconds: Slurm's own would leave the key on the node."""
    folder = queued(tmp_path, "stays")
    job = start(folder)
    assert job.stdout is not None
    with job.stdout:
        seen = until_said(job, "ready")
        os.kill(job.pid, signal.SIGTERM)
        seen += job.stdout.read()
    assert job.wait(10) == 137
    argv, _, _ = json.loads(seen.partition("told ")[2].splitlines()[0])
    assert not Path(argv[argv.index("--local-directory") + 1]).exists()
    assert "it did not end within 3 s" in seen


def test_a_job_that_was_cancelled_while_it_waited_does_nothing(tmp_path: Path) -> None:
    folder = queued(tmp_path)
    (folder / "environment.json").unlink()
    code, out = run(folder)
    assert code == 77
    assert "told" not in out


def test_a_session_that_is_not_on_this_node(tmp_path: Path) -> None:
    folder = queued(tmp_path)
    (folder.parent / "nearfield-0123456789abcdef/data").rmdir()
    code, _ = run(folder)
    assert code == 77
    failure = json.loads((folder / "failure.json").read_text())
    assert failure["reason"] == "folder"
    assert "nearfield-0123456789abcdef is not on " in failure["message"]


def test_a_missing_mount_is_told(tmp_path: Path) -> None:
    mount = {"source": "/nosuch", "target": "/nosuch", "read_only": True, "required": True}
    folder = queued(tmp_path, mounts=[mount])
    code, _ = run(folder)
    assert code == 77
    assert "/nosuch is needed" in json.loads((folder / "failure.json").read_text())["message"]


def test_it_runs_the_image_of_the_session(tmp_path: Path) -> None:
    path = str(sif_file(tmp_path / "a.sif", (0x4004, 2, b"squash")))
    session = Examined(path)
    with session.open_again() as file:
        digest = sif.payload_digest(file)
    told = {"identity": session.identity, "digest": ""}
    worker.must_be_the_same(Examined(path), told, str(tmp_path))
    # A copy on each node is another file with the same content.
    copy = Examined(str(sif_file(tmp_path / "b.sif", (0x4004, 2, b"squash"))))
    worker.must_be_the_same(copy, told | {"digest": digest}, str(tmp_path))
    other = Examined(str(sif_file(tmp_path / "c.sif", (0x4004, 2, b"squish"))))
    for known in (digest, ""):
        with pytest.raises(NotStarted, match="is not the one that the session began with"):
            worker.must_be_the_same(other, told | {"digest": known}, str(tmp_path))
    for image in (session, copy, other):
        image.close()


def test_a_digest_that_came_late_is_known_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(sif_file(tmp_path / "a.sif", (0x4004, 2, b"squash")))
    session = Examined(path)
    monkeypatch.setattr(sif, "SETTLED_SECONDS", -1.0)
    with session.open_again() as file:
        sif.remember(str(tmp_path), path, session.identity, {"digest": sif.payload_digest(file)})
    told = {"identity": session.identity, "digest": ""}
    again = sif_file(tmp_path / "new.sif", (0x4004, 2, b"squash"))
    again.replace(path)
    copy = Examined(path)
    assert copy.identity != session.identity
    worker.must_be_the_same(copy, told, str(tmp_path))
    for image in (session, copy):
        image.close()


@pytest.mark.parametrize(
    ("bind", "host"), [("0.0.0.0", None), ("10.1.2.3", "10.1.2.3"), ("fd00::1", "[fd00::1]")]
)
def test_it_listens_where_sessions_do(bind: str, host: str | None) -> None:
    told = {"python": "/p", "scheduler": "tls://x:1", "threads": 1, "name": "w"}
    task = {"ports": None, "bind_address": bind}
    session = {"worker": told, "task": task, "hardware": {"memory_mb": 100}}
    argv = worker.worker_program(session, "/tmp", None)
    assert (argv[argv.index("--host") + 1] if "--host" in argv else None) == host
    assert "--lifetime" not in argv
