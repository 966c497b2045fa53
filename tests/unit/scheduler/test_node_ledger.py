"""The worker jobs of a session: what Slurm is asked, and what becomes of them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from nearfield.scheduler.node import ledger as ledgers
from nearfield.scheduler.node.ledger import Ledger, NotDone, WorkerJob
from standins.node_slurm import SlurmOfNode, ledger_of

OWNER, OTHER = object(), object()
SECRETS = {"ca": "CA", "cert": "CERT", "key": "s3cret"}


@pytest.fixture
def slurm(tmp_path: Path) -> SlurmOfNode:
    return SlurmOfNode(tmp_path)


@pytest.fixture
def ledger(slurm: SlurmOfNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setattr(ledgers, "LOOK_SECONDS", 0.0)
    return ledger_of(slurm, tmp_path / "sessions")


def start(ledger: Ledger, owner: object = OWNER, **content: Any) -> WorkerJob:
    return ledger.start(owner, None, {"task": {"kind": "worker"}} | content, SECRETS)


def test_a_job_is_queued_like_the_sessions_own(
    slurm: SlurmOfNode, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "1")
    monkeypatch.setenv("SBATCH_PARTITION", "x")
    monkeypatch.setenv("SLURM_CONF", "/etc/x.conf")
    job = start(ledger)
    assert job.number == "101"
    options = slurm.told("options")
    wanted = {"--partition=short", "--constraint=storage-a", "--cpus-per-task=4", "--mem=8000M",
              "--time=60", "--no-requeue", "--export=ALL", "--nodes=1", "--ntasks=1",
              "--signal=B:USR2@30", f"--job-name={job.name}", f"--chdir={job.folder}"}  # fmt: skip
    assert wanted <= set(options)
    assert job.name.startswith("nearfield-worker-0123456789abcdef-")
    script = "\n".join(slurm.told("script"))
    assert f"exec(PROGRAM)' {job.folder} <<" in script
    assert "\npass\nNEARFIELD_NODE_PROGRAM" in script
    environment = dict(line.split("=", 1) for line in slurm.told("environment") if "=" in line)
    assert environment["SLURM_CONF"] == "/etc/x.conf"
    others = {"SLURM_MEM_PER_NODE", "SBATCH_PARTITION", "SLURM_JOB_ID", "SLURM_TIME_FORMAT"}
    assert not others & set(environment)
    assert environment.get("TZ") == os.environ.get("TZ"), "a worker's times are the session's"


def test_secrets_are_in_a_private_file_alone(slurm: SlurmOfNode, ledger: Ledger) -> None:
    folder = Path(start(ledger).folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert ("s3cret" in path.read_text()) == (path.name == "environment.json")
    for name in ("options", "script", "environment"):
        assert "s3cret" not in "\n".join(slurm.told(name))


def test_the_profile_says_how_many(slurm: SlurmOfNode, ledger: Ledger) -> None:
    start(ledger)
    start(ledger, OTHER)
    with pytest.raises(NotDone, match="has 2 worker jobs, and its profile p allows 2") as refused:
        start(ledger)
    assert refused.value.reason == "limit"
    slurm.says("queue", "101|COMPLETED|na1|N/A|N/A|None", "102|RUNNING|na1|N/A|N/A|None")
    assert start(ledger).number == "103"


def test_none_where_the_profile_says_so(slurm: SlurmOfNode, tmp_path: Path) -> None:
    none = ledger_of(slurm, tmp_path / "sessions", workers=0)
    assert "workers: 0" in none.why_none()
    (slurm.folder / "sbatch").unlink()
    some = ledger_of(slurm, tmp_path / "others")
    assert some.why_none() == f"there is no {slurm.folder}/sbatch on this node"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("sbatch: error: Invalid qos specification", "refused"),
        ("sbatch: error: Unable to contact slurm controller (connect failure)", "unavailable"),
    ],
)
def test_sbatch_fails(slurm: SlurmOfNode, ledger: Ledger, words: str, reason: str) -> None:
    slurm.says("sbatch-fails", words)
    with pytest.raises(NotDone, match=words.split("error: ")[1][:20]) as refused:
        start(ledger)
    assert refused.value.reason == reason
    left = list(Path(ledger.folder).parent.glob("nearfield-worker-*/environment.json"))
    assert left == [], "a job that is there all the same must not run"
    # Its number may have been lost: it is ended by its name.
    assert ("-n" in slurm.told("cancelled")) == (reason == "unavailable")


def test_no_answer_is_no_end(slurm: SlurmOfNode, ledger: Ledger) -> None:
    job = start(ledger)
    slurm.says("down")
    assert "Unable to contact" in ledger.look()
    assert (job.known["state"], job.over()) == ("unknown", False)


def test_absent_is_gone_only_where_somebody_says_so(slurm: SlurmOfNode, ledger: Ledger) -> None:
    job, other = start(ledger), start(ledger)
    slurm.says("queue")
    ledger.look()
    assert job.known["state"] == other.known["state"] == "unknown"
    slurm.says("accounting", "101|NODE_FAIL|0:0|na2|2026-01-01T00:00:00|Unknown|None")
    (Path(other.folder) / "result.json").write_text('{"exit_code": 77}')
    ledger.look()
    assert (job.known["state"], job.known["node"], job.over()) == ("node_fail", "na2", True)
    assert job.known["start"] == 1767225600.0
    assert (other.known["state"], other.known["exit_code"]) == ("failed", 77)
    assert not (Path(job.folder) / "environment.json").exists()


def test_squeue_is_not_asked_for_each_request(
    slurm: SlurmOfNode, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledgers, "LOOK_SECONDS", 3600.0)
    start(ledger)
    for _ in range(5):
        ledger.look()
    assert slurm.told("looks") == ["asked"]


def test_squeue_is_asked_less_while_nothing_changes(
    slurm: SlurmOfNode, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(ledgers.time, "time", lambda: now[0])
    monkeypatch.setattr(ledgers, "LOOK_SECONDS", 1.0)
    start(ledger)

    def looks(seconds: int) -> int:
        before = len(slurm.told("looks"))
        for _ in range(seconds):
            now[0] += 1.0
            ledger.look()
        return len(slurm.told("looks")) - before

    assert looks(5) == 5
    looks(60)
    assert looks(30) == 3
    slurm.says("queue", "101|COMPLETING|na1|N/A|N/A|None")
    assert looks(10) >= 1
    assert looks(5) == 5
    start(ledger)
    assert looks(5) == 5


def test_the_end_of_a_connection_ends_its_jobs(slurm: SlurmOfNode, ledger: Ledger) -> None:
    mine, others = start(ledger), start(ledger, OTHER)
    ledger.end_of(OWNER)
    assert slurm.told("cancelled") == [mine.number]
    assert not (Path(mine.folder) / "environment.json").exists()
    assert json.loads((Path(mine.folder) / "result.json").read_text()) == {"withdrawn": True}
    assert (Path(others.folder) / "environment.json").exists()


def test_the_end_of_the_session_ends_all(slurm: SlurmOfNode, ledger: Ledger) -> None:
    start(ledger)
    start(ledger, OTHER)
    ledger.end_all(1.0)
    assert slurm.told("cancelled") == ["101", "102"]
    with pytest.raises(NotDone, match="is ending"):
        start(ledger)


def test_what_ended_is_not_cancelled_again(slurm: SlurmOfNode, ledger: Ledger) -> None:
    start(ledger)
    slurm.says("queue", "101|FAILED|na1|N/A|N/A|NonZeroExitCode")
    ledger.look()
    ledger.end_all(1.0)
    assert slurm.told("cancelled") == []


def test_a_folder_that_cannot_be_made(slurm: SlurmOfNode, ledger: Ledger) -> None:
    sessions = Path(ledger.folder).parent
    sessions.rename(sessions.with_name("gone"))
    with pytest.raises(NotDone, match="cannot be written: No such file") as refused:
        start(ledger)
    assert refused.value.reason == "folder"
    assert slurm.told("options") == []


def test_the_log_is_shown_in_part_and_without_control_signs(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"first\n" + b"x" * 1000 + b"\n\x1b[31mred\x1b[0m\n")
    shown = ledgers.last_of_log(str(tmp_path), 2).splitlines()
    assert shown == ["x" * ledgers.LOG_LINE, "[31mred[0m"]
    assert ledgers.last_of_log(str(tmp_path), 0) == ""
    assert ledgers.last_of_log(str(tmp_path / "absent"), 5) == ""
