"""The test cluster is what it claims to be: every ability that other tests lean on, proved once."""

from __future__ import annotations

import shlex
import subprocess
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.system
TOOL = Path(__file__).resolve().parent / "cluster" / "cluster"

SUDOERS = Path("/etc/sudoers.d/slurmlab")


def test_a_job_runs_as_its_user_where_the_storage_is(cluster):
    data = cluster.data("a")
    there = cluster.sbatch(
        "alice", "-C", "storage-a", "-w", "na1", script=f"id -un; hostname; ls -d {data}"
    )
    elsewhere = cluster.sbatch(
        "alice", "-w", "nb1", script=f"test ! -e {data} && test -d {cluster.data('b')}"
    )
    assert cluster.wait_job(there) == "COMPLETED"
    assert cluster.wait_job(elsewhere) == "COMPLETED"
    assert cluster.output("alice", there).split() == ["alice", "na1", str(data)]
    assert not data.exists(), "the head node has no such mount"


def test_people_cannot_read_each_others_files(cluster):
    secret = cluster.storage("a") / "only-alice"
    cluster.run_as("alice", ["mkdir", "-p", "-m", "700", str(secret)])
    assert cluster.run_as("alice", ["ls", str(secret)]).returncode == 0
    assert cluster.run_as("bob", ["ls", str(secret)]).returncode != 0
    assert cluster.run_as("bob", ["ls", str(cluster.home("alice"))]).returncode != 0
    job = cluster.sbatch(
        "bob", "-w", "na1", "-o", "/dev/null", script=f"ls {cluster.data('a')}/only-alice"
    )
    assert cluster.wait_job(job) == "FAILED"


def test_210_jobs_run_at_once(idle):
    options = ["--array=1-210", "-n1", "--mem=100", "-q", "interactive", "-o", "/dev/null"]
    idle.sbatch("alice", *options, script="exec sleep 120")
    deadline = time.monotonic() + 45
    while (running := list(idle.squeue("alice").values()).count("RUNNING")) < 210:
        assert time.monotonic() < deadline, f"{running} of 210 run"
        time.sleep(0.3)


@pytest.mark.parametrize(
    ("qos", "state"), [("scavenge", "PREEMPTED"), ("scavenge-requeue", "PENDING")]
)
def test_a_normal_job_preempts_a_scavenger(idle, qos, state):
    options = ["-p", "small", "-c2", "-q", qos, "--requeue", "-o", "/dev/null"]
    victim = idle.sbatch("alice", *options, script="exec sleep 120")
    idle.wait_job(victim, ["RUNNING"])
    winner = idle.sbatch(
        "carol", "-p", "small", "-q", "normal", "-o", "/dev/null", script="exec sleep 60"
    )
    idle.wait_job(winner, ["RUNNING"])
    assert idle.wait_job(victim, [state]) == state


def test_a_job_over_its_memory_is_killed(cluster):
    hog = "exec /usr/bin/python3 -c 'import time; b = bytearray(300_000_000); time.sleep(60)'"
    job = cluster.sbatch("alice", "--mem=100", "--acctg-freq=task=1", script=hog)
    assert cluster.wait_job(job) == ("OUT_OF_MEMORY" if cluster.real_oom else "FAILED")
    assert "oom-kill" in cluster.output("alice", job) or "memory limit" in cluster.output(
        "alice", job
    )


@pytest.mark.soak  # session/test_endings.py leans on all of it, and takes Slurm's patience once
def test_a_node_loses_power_and_comes_back(idle):
    job = idle.sbatch("alice", "-w", "nb1", "-o", "/dev/null", script="exec sleep 120")
    idle.wait_job(job, ["RUNNING"])
    idle.kill_node("nb1")
    try:
        assert idle.exec_on("nb1", ["true"]).returncode != 0
        assert idle.wait_job(job, ["NODE_FAIL"], timeout=45) == "NODE_FAIL"
    finally:
        idle.boot_node("nb1")
    after = idle.sbatch("alice", "-w", "nb1", "-o", "/dev/null", script="true")
    assert idle.wait_job(after, ["COMPLETED"]) == "COMPLETED"


def test_slurm_errors_while_munge_is_out(cluster):
    cluster.stop_daemon("munged")
    try:
        out = cluster.run_as("alice", ["squeue"])
    finally:
        cluster.start_daemon("munged")
    assert out.returncode != 0
    assert "authentication" in out.stderr.lower() or "munge" in out.stderr.lower()
    assert cluster.run_as("alice", ["squeue"]).returncode == 0


def test_the_second_cluster_by_flag_and_by_configuration(cluster):
    conf = {"SLURM_CONF": str(cluster.slurm_conf("lab2"))}
    script = "#!/bin/sh\nhostname\n"
    by_flag = cluster.run_as("alice", ["sbatch", "--parsable", "-M", "lab2"], input=script)
    by_conf = cluster.run_as("alice", ["sbatch", "--parsable"], input=script, env=conf)
    assert by_flag.stdout.strip().endswith(";lab2"), by_flag.stderr
    for done in (by_flag, by_conf):
        job = done.stdout.strip().split(";")[0]
        assert cluster.wait_job(job, cluster="lab2") == "COMPLETED"
        assert cluster.output("alice", job) == "nc1\n"


@pytest.mark.parametrize("target", ["alice", "root", "jhub"])
@pytest.mark.parametrize(
    "command", [["id"], ["sbatch", "--version"], ["nearfield-launch", "--help"], ["sh", "-c", "id"]]
)
def test_the_hub_may_not_run_other_commands_as_people(cluster, target, command):
    if command[0] == "nearfield-launch":
        command = [str(cluster.site_venv / "bin" / "nearfield-launch"), *command[1:]]
    assert cluster.run_as("jhub", ["sudo", "-n", "-u", target, *command]).returncode != 0


def test_the_hub_may_run_the_launcher_and_only_as_people(cluster):
    launcher = str(cluster.site_venv / "bin" / "nearfield-launch")
    # the cluster's own file, not `sudo -l`: other sudoers files here are not the cluster's doing
    granted = [
        line for line in SUDOERS.read_text().splitlines() if not line.startswith(("#", "Def"))
    ]
    assert granted == [f'jhub ALL=(%slurmlab) NOPASSWD:NOSETENV: {launcher} ""']
    as_alice = cluster.run_as("jhub", ["sudo", "-n", "-l", "-u", "alice", launcher])
    assert as_alice.returncode == 0, as_alice.stderr
    assert cluster.run_as("jhub", ["sudo", "-n", "-l", "-u", "root", launcher]).returncode != 0
    assert (
        cluster.run_as("jhub", ["sudo", "-n", "-u", "alice", "FOO=bar", launcher]).returncode != 0
    )
    assert cluster.run_as("alice", ["sudo", "-n", "-l", "-u", "bob", launcher]).returncode != 0


def test_apptainer_runs_on_a_node_and_keeps_read_only_mounts(cluster):
    raw = cluster.storage("a") / "raw-for-apptainer"
    cluster.run_as("alice", ["mkdir", "-p", str(raw)])
    seen = cluster.data("a") / raw.name
    argv = [str(cluster.apptainer), "-s", "exec", "--containall"]
    for mount in ("type=bind,src=/usr,dst=/usr,ro", f"type=bind,src={seen},dst={seen},ro"):
        argv += ["--mount", mount]
    command = f"echo inside; test -d {seen} && touch {seen}/no"
    inside = shlex.join([*argv, str(cluster.image), "sh", "-c", command])
    job = cluster.sbatch("alice", "-w", "na1", script=f"{inside}; echo rc=$?")
    assert cluster.wait_job(job) == "COMPLETED"
    out = cluster.output("alice", job)
    assert "inside" in out
    assert "Read-only file system" in out
    assert "rc=0" not in out
    assert not (raw / "no").exists()


def _host_state() -> dict[str, str]:
    """What `down` must give back: accounts, names, rights, links, network, mounts."""
    names = ("passwd", "group", "shadow", "gshadow", "hosts", "subuid", "subgid")
    state = {f: Path("/etc", f).read_text() for f in names if Path("/etc", f).exists()}
    for folder in ("/etc/sudoers.d", "/etc/slurm", "/etc/munge", "/usr/local/bin"):
        state[folder] = "\n".join(sorted(p.name for p in Path(folder).glob("*")))
    for argv in (["ip", "-br", "link"], ["ip", "netns"], ["ip", "-br", "addr"]):
        state[" ".join(argv)] = subprocess.run(
            argv, capture_output=True, text=True, check=True
        ).stdout
    state["mounts"] = Path("/proc/self/mounts").read_text()
    cgroups = Path("/sys/fs/cgroup/memory/slurmlab")
    state["cgroups"] = str(cgroups.exists())
    ours = ("munged", "slurmd", "slurmctld", "slurmdbd", "slurmstepd", "slurmrestd", "mariadbd")
    state["processes"] = " ".join(sorted(n for n in _running() if n in ours))
    return state


def _running() -> list[str]:
    """Names of processes, without those of which only the exit code is left to collect."""
    names = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, rest = stat.read_text().rpartition(")")
        except OSError:  # ended meanwhile
            continue
        if rest.split()[0] not in "ZX":
            names.append(head.partition("(")[2])
    return names


@pytest.mark.soak
def test_down_leaves_the_host_as_it_was(idle):
    """Down, look, up, run a job, down, look again: the same."""
    quiet = subprocess.DEVNULL

    def tool(*argv: str) -> None:
        subprocess.run([str(TOOL), *argv], stdin=quiet, stdout=quiet, check=True)

    tool("down")
    try:
        before = _host_state()
        assert before["processes"] == ""
        tool("up")
        job = idle.sbatch("alice", "-o", "/dev/null", script="exec sleep 100")
        idle.wait_job(job, ["RUNNING"])
        tool("down")
        assert _host_state() == before
    finally:
        tool("up")
