"""Who abuses the launcher, and with what: a hub that was taken over, a user, a careless admin."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from nearfield.errors import SchedulerError, SpecRefusedError
from nearfield.scheduler import wire
from nearfield.scheduler.submitters import SudoSubmitter

pytestmark = pytest.mark.system

TOKEN = "s3cret-of-the-session"


def submit_request(site: Any, change: dict[str, Any], **spec: Any) -> str:
    """A submit whose spec was changed: dotted path → value."""
    wanted = json.loads(site.spec(**spec).wire_json())
    for path, value in change.items():
        at, *keys = wanted, *path.split("|")
        for key in keys[:-1]:
            at = at[key]
        at[keys[-1]] = value
    return wire.request("submit", "lab", spec=wanted)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"task|image": "/home/mallory/own.sif"}, "task.image"),
        ({"task|apptainer": "/tmp/own"}, "task.apptainer"),
        ({"task|server": ["/bin/sh", "-c", "id"]}, "task.server"),
        ({"task|mounts": [{"source": "/", "target": "/host", "read_only": False}]}, "task.mounts"),
        ({"task|bind_address": "10.99.0.11"}, "task.bind_address"),
        ({"hardware|cores": 64}, "hardware.cores"),
        ({"hardware|minutes": 240}, "hardware.minutes"),
        ({"hardware|partition": "beamline"}, "hardware.partition"),
        ({"hardware|account": "chem"}, "hardware.account"),
        ({"hardware|constraint": "gpu"}, "hardware.constraint"),
        ({"task|environment|LD_PRELOAD": "/tmp/own.so"}, "task.environment.LD_PRELOAD"),
        ({"task|environment|PYTHONSTARTUP": "/tmp/x"}, "task.environment.PYTHONSTARTUP"),
        ({"task|environment|NEARFIELD_CONFIG": "/tmp/x"}, "task.environment.NEARFIELD_CONFIG"),
        ({"task|environment|JUPYTERHUB_SINGLEUSER_APP": "os.x"}, "JUPYTERHUB_SINGLEUSER_APP"),
        ({"task|environment|lower": "x"}, "task.*environment"),
        ({"task": {"kind": "command", "argv": ["/usr/bin/id"]}}, "task.kind"),
        ({"task|callback_url": "http://10.99.0.1/elsewhere"}, "task.callback_url"),
        ({"task|callback_url": "file:///etc/passwd/hub/api/nearfield/port"}, "task.callback_url"),
        ({"user": "bob"}, "user"),
        ({"name": "backup"}, "name"),
        ({"name": "nf-../../x"}, "name"),
        ({"name": "nf-x\n#SBATCH --uid=0"}, "name"),
        ({"profile": "closed"}, "profile"),
        ({"profile": "nosuch"}, "profile"),
        ({"comment": "hello"}, "comment"),
        ({"extra": 1}, "extra"),
    ],
    ids=lambda v: "+".join(v) if isinstance(v, dict) else "",
)
async def test_a_changed_spec_is_refused(
    site: Any, cluster: Any, change: dict[str, Any], field: str
) -> None:
    before = cluster.squeue("alice")
    with pytest.raises(SpecRefusedError, match=field) as caught:
        site.ask("alice", submit_request(site, change))
    assert TOKEN not in str(caught.value)
    assert cluster.squeue("alice") == before


async def test_links_outside_their_folder_are_refused(site: Any, cluster: Any) -> None:
    root = cluster.data("a")
    inside = {"pid": "p", "slug": "s", "folder": f"{root}/x", "files": [f"{root}/x/a.h5"]}
    for bad, words in (
        ([inside | {"files": ["/etc/passwd"]}], "not in"),
        ([inside, inside], "slug twice"),
        ([inside | {"slug": "../x"}], "slug"),
        ([inside | {"folder": "/etc", "files": ["/etc/passwd"]}], "no storage"),
        ([inside | {"files": [f"{root}/x/../../../../etc/passwd"]}], "absolute path"),
    ):
        with pytest.raises(SpecRefusedError, match=words):
            site.ask("alice", submit_request(site, {"task|datasets": bad}))


def test_accounts_that_are_nobodys_business(site: Any) -> None:
    request = wire.request("find", "lab", name="nf-x")
    for user, words in (
        ("root", "system account"),
        ("daemon", "system account"),
        ("jhub", "group"),
    ):
        with pytest.raises(SpecRefusedError, match=words):
            site.ask(user, request)
    assert site.ask("alice", request) is None


def test_sudo_itself_refuses_everything_else(site: Any) -> None:
    for argv in (
        ["/usr/bin/id"],
        [str(site.launcher), "--help"],
        [str(site.dir / "venv/bin/python"), "-c", "1"],
        ["NEARFIELD_CONFIG=/tmp/x", str(site.launcher)],
    ):
        done = subprocess.run(
            [str(site.sudo), "-n", "-u", "alice", *argv],
            input=b"{}",
            capture_output=True,
            check=False,
        )
        assert done.returncode == 1, argv
        assert b"sudo:" in done.stderr or b"not allowed" in done.stderr


async def test_the_refusal_of_sudo_names_the_line_that_is_missing(
    site: Any, tmp_path: Path
) -> None:
    submitter = SudoSubmitter("lab", Path("/opt/other/nearfield-launch"), sudo=site.sudo)
    with pytest.raises(SchedulerError, match=r"NOPASSWD:NOSETENV: /opt/other/nearfield-launch"):
        await submitter.find("alice", "nf-x")
    for bad in ("-u", "root;id", "alice\n", "#0", ""):
        with pytest.raises(SchedulerError, match="not a user name"):
            await submitter.find(bad, "nf-x")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "no such verb"),
        (b"{}", "no such verb"),
        (b'{"verb": ["submit"]}', "no such verb"),
        (b'{"verb": "__class__"}', "no such verb"),
        (b'{"verb": "find", "version": 2, "cluster": "lab", "name": "nf-x"}', "version"),
        (b'{"verb": "find", "version": 1, "cluster": "lab"}', "find takes"),
        (b'{"verb": "find", "version": 1, "cluster": "lab", "name": "nf-x", "x": 1}', "find takes"),
        (b'{"verb": "find", "version": 1, "cluster": "prod", "name": "nf-x"}', "no such Slurm"),
        (b'{"verb": "find", "version": 1, "cluster": "lab", "name": "--all"}', "name starts"),
        (
            b'{"verb": "log_tail", "version": 1, "cluster": "lab", "name": "nf-../x", "lines": 5}',
            "name",
        ),
        (
            b'{"verb": "log_tail", "version": 1, "cluster": "lab", "name": "nf-x", "lines": true}',
            "lines",
        ),
        (
            b'{"verb": "cancel", "version": 1, "cluster": "lab", "number": "--user=bob"}',
            "job number",
        ),
        (b'{"verb": "cancel", "version": 1, "cluster": "lab", "number": "1,2"}', "job number"),
        (
            b'{"verb": "status", "version": 1, "cluster": "lab", "numbers": ["1 --all"]}',
            "job number",
        ),
        (b'{"verb": "access", "version": 1, "cluster": "lab", "paths": ["relative"]}', "absolute"),
        (b" " * (wire.MAX_REQUEST + 1), "longer than"),
    ],
    ids=range(19),
)
def test_garbage_is_refused_in_words(site: Any, request_: bytes, words: str) -> None:
    with pytest.raises(SpecRefusedError, match=words):
        site.ask("alice", request_)


def test_jobs_that_are_no_sessions_are_left_alone(site: Any, idle: Any) -> None:
    own = idle.sbatch("alice", "--mem=50", "--job-name=thesis", script="sleep 60")
    others = idle.sbatch("bob", "--mem=50", "--job-name=nf-of-bob", script="sleep 60")
    idle.wait_job(others, {"RUNNING"})
    with pytest.raises(SpecRefusedError, match="not a session"):
        site.ask("alice", wire.request("cancel", "lab", number=own))
    assert site.ask("alice", wire.request("cancel", "lab", number=others)) is None
    time.sleep(0.5)
    assert idle.squeue()[own] == idle.squeue()[others] == "RUNNING"


def test_a_log_that_is_a_link_is_not_read(site: Any, cluster: Any) -> None:
    sessions = cluster.home("alice") / ".local/share/nearfield/sessions"
    folder = sessions / "nf-evil"
    cluster.run_as("alice", ["mkdir", "-p", "-m", "700", str(folder)])
    cluster.run_as("alice", ["ln", "-s", "/etc/passwd", str(folder / "log")])
    request = wire.request("log_tail", "lab", name="nf-evil", lines=5)
    assert site.ask("alice", request) == ""
    shutil.rmtree(folder)
    cluster.run_as("alice", ["ln", "-s", "/etc", str(folder)])
    assert site.ask("alice", request) == ""
    folder.unlink()


def test_a_configuration_that_others_can_write_is_refused(site: Any) -> None:
    request = wire.request("find", "lab", name="nf-x")
    alice = 20001
    for path, spoil, mend in (
        (site.yaml, lambda p: p.chmod(0o664), lambda p: p.chmod(0o644)),
        (site.yaml, lambda p: os.chown(p, alice, 0), lambda p: os.chown(p, 0, 0)),
        (site.yaml.parent, lambda p: p.chmod(0o777), lambda p: p.chmod(0o755)),
        (site.dir, lambda p: os.chown(p, alice, 0), lambda p: os.chown(p, 0, 0)),
    ):
        spoil(path)
        try:
            with pytest.raises(SpecRefusedError, match=f"{path}"):
                site.ask("alice", request)
        finally:
            mend(path)
    assert site.ask("alice", request) is None


def test_a_link_to_a_configuration_of_somebody_else_is_refused(site: Any, cluster: Any) -> None:
    own = cluster.home("alice") / "own.yaml"
    shutil.copy(site.yaml, own)
    kept = site.yaml.with_suffix(".kept")
    site.yaml.rename(kept)
    site.yaml.symlink_to(own)
    try:
        with pytest.raises(SpecRefusedError, match="home/alice"):
            site.ask("alice", wire.request("find", "lab", name="nf-x"))
    finally:
        kept.rename(site.yaml)
        own.unlink()


def test_the_callers_environment_chooses_nothing(site: Any, cluster: Any, tmp_path: Path) -> None:
    """A user who runs the launcher by hand gains nothing over sbatch; but nothing misleads it."""
    done = cluster.run_as(
        "alice",
        [str(site.launcher)],
        input=wire.request("find", "prod", name="nf-x"),
        env={
            "NEARFIELD_CONFIG": "/nosuch.yaml",
            "NEARFIELD_HOME": "/tmp/x",
            "SLURM_CONF": "/nosuch",
        },
    )
    with pytest.raises(SpecRefusedError, match="no such Slurm cluster"):
        wire.read_answer(done.stdout)
    argument = cluster.run_as("alice", [str(site.launcher), "x"], input="{}")
    assert argument.returncode == 2


def test_it_starts_fast(site: Any, cluster: Any) -> None:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        site.ask("alice", wire.request("access", "lab", paths=[]))
        times.append(time.perf_counter() - start)
    # 0.13 s on a quiet machine; the median forgives a neighbour, and the rest is slack
    assert sorted(times)[2] < 0.75
