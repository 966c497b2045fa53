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
NAME = "nearfield-00000000000000aa"


def asks(verb: str, **more: Any) -> bytes:
    return json.dumps({"verb": verb, "version": 1, "cluster": "lab"} | more).encode()


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
        ({"task|command": ["/bin/sh", "-c", "id"]}, "task.command"),
        ({"task|server": "site"}, "task.server"),
        ({"task|kernel": ["/bin/sh", "-c", "id"]}, "task.kernel"),
        ({"task|runtime": {"venv": "/home/mallory/venv"}}, "task.runtime"),
        ({"task|layer": True}, "task.layer"),
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
        ({"name": "nf-core"}, "name"),
        ({"name": "nearfield-../../x"}, "name"),
        ({"name": "nearfield-x"}, "name"),
        ({"name": NAME + "\n#SBATCH --uid=0"}, "name"),
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
    # Not more: an old job may leave the list meanwhile.
    assert cluster.squeue("alice").keys() <= before.keys()


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
    request = wire.request("find", "lab", name=NAME)
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
    with pytest.raises(SchedulerError, match=r"NOSETENV:NOLOG_INPUT: /opt/other/nearfield-launch"):
        await submitter.find("alice", NAME)
    for bad in ("-u", "root;id", "alice\n", "#0", ""):
        with pytest.raises(SchedulerError, match="not a user name"):
            await submitter.find(bad, NAME)


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
        (
            asks("find", version=2, name=NAME),
            "version",
        ),
        (asks("find"), "find takes"),
        (
            asks("find", name=NAME, x=1),
            "find takes",
        ),
        (
            asks("find", cluster="prod", name=NAME),
            "no such Slurm",
        ),
        (asks("find", name="--all"), "name is"),
        (
            asks("log_tail", name="nearfield-../x", lines=5),
            "name",
        ),
        (
            asks("log_tail", name=NAME, lines=True),
            "lines",
        ),
        (
            asks("cancel", number="--user=bob"),
            "job number",
        ),
        (asks("cancel", number="1,2"), "job number"),
        (
            asks("status", numbers=["1 --all"]),
            "job number",
        ),
        (asks("access", paths=["relative"]), "absolute"),
        (b" " * (wire.MAX_REQUEST + 1), "longer than"),
    ],
    ids=range(19),
)
def test_garbage_is_refused_in_words(site: Any, request_: bytes, words: str) -> None:
    with pytest.raises(SpecRefusedError, match=words):
        site.ask("alice", request_)


def test_jobs_that_are_no_sessions_are_left_alone(site: Any, idle: Any) -> None:
    names = ("thesis", "nf-core", "nearfield-x", f"{NAME}0", f"{NAME}\n")
    own = [
        idle.sbatch("alice", "--mem=50", f"--job-name={name}", script="sleep 60") for name in names
    ]
    others = idle.sbatch("bob", "--mem=50", f"--job-name={NAME}", script="sleep 60")
    idle.wait_job(others, {"RUNNING"})
    for number, name in zip(own, names, strict=True):
        with pytest.raises(SpecRefusedError, match="not a session"):
            site.ask("alice", wire.request("cancel", "lab", number=number))
        if not name.endswith("\n"):
            told = site.ask("alice", wire.request("status", "lab", numbers=[number]))
            assert (told[number]["state"], told[number]["host"]) == ("unknown", None)
            for verb, more in (("find", {}), ("withdraw", {}), ("log_tail", {"lines": 5})):
                with pytest.raises(SpecRefusedError, match="session's name"):
                    site.ask("alice", wire.request(verb, "lab", name=name, **more))
    assert site.ask("alice", wire.request("cancel", "lab", number=others)) is None
    time.sleep(0.5)
    seen = idle.squeue()
    assert {seen[number] for number in own} <= {"RUNNING", "PENDING"}
    assert seen[others] == "RUNNING"


def test_a_log_that_is_a_link_is_not_read(site: Any, cluster: Any) -> None:
    sessions = cluster.home("alice") / ".local/share/nearfield/sessions"
    folder = sessions / NAME
    cluster.run_as("alice", ["mkdir", "-p", "-m", "700", str(folder)])
    cluster.run_as("alice", ["ln", "-s", "/etc/passwd", str(folder / "log")])
    request = wire.request("log_tail", "lab", name=NAME, lines=5)
    assert site.ask("alice", request) == ""
    shutil.rmtree(folder)
    cluster.run_as("alice", ["ln", "-s", "/etc", str(folder)])
    assert site.ask("alice", request) == ""
    folder.unlink()


def test_a_configuration_that_others_can_write_is_refused(site: Any) -> None:
    request = wire.request("find", "lab", name=NAME)
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
            site.ask("alice", wire.request("find", "lab", name=NAME))
    finally:
        kept.rename(site.yaml)
        own.unlink()


def test_the_callers_environment_chooses_nothing(site: Any, cluster: Any, tmp_path: Path) -> None:
    """A user who runs the launcher by hand gains nothing over sbatch; but nothing misleads it."""
    done = cluster.run_as(
        "alice",
        [str(site.launcher)],
        input=wire.request("find", "prod", name=NAME),
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


def test_modules_of_somebody_else_are_refused(site: Any, cluster: Any) -> None:
    request = wire.request("find", "lab", name=NAME)
    for name, value in (("PYTHONPATH", "/tmp"), ("PYTHONDONTWRITEBYTECODE", "1")):
        done = cluster.run_as("alice", [str(site.launcher)], input=request, env={name: value})
        with pytest.raises(SpecRefusedError, match=f"variable {name} is set"):
            wire.read_answer(done.stdout)
    programs = site.launcher.parent  # the script's folder comes first on the path
    os.chown(programs, 20001, 0)
    try:
        with pytest.raises(SpecRefusedError, match=f"{programs} belongs to uid 20001"):
            site.ask("alice", request)
    finally:
        os.chown(programs, 0, 0)
    assert site.ask("alice", request) is None


def test_it_starts_fast(site: Any, cluster: Any) -> None:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        site.ask("alice", wire.request("access", "lab", paths=[]))
        times.append(time.perf_counter() - start)
    # 0.13 s on a quiet machine; the median forgives a neighbour, and the rest is slack
    assert sorted(times)[2] < 0.75
