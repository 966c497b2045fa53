"""The hub's key on a submit host: what it opens, and what it does not. A real sshd on loopback."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from free_port import free_port
from nearfield.errors import SchedulerError, SchedulerUnavailableError, SpecRefusedError
from nearfield.scheduler import JobId, JobState, wire

pytestmark = pytest.mark.system

NAME = "nearfield-00000000000000aa"


def by_hand(site: Any, *more: str, text: str = "", seconds: float = 30) -> Any:
    """ssh as somebody with the hub's key would run it."""
    host = site.host
    argv = [str(site.ssh), "-F", "/dev/null", "-i", str(host.key), "-p", str(host.port)]
    argv += ["-o", f"UserKnownHostsFile={host.known_hosts}", "-o", "BatchMode=yes"]
    return subprocess.run(
        [*argv, *more],
        input=text.encode(),
        capture_output=True,
        timeout=seconds,
        check=False,
    )


async def test_accounts_that_are_nobodys_business(site: Any) -> None:
    for user, words in (("root", "system account"), ("daemon", "system"), ("jhub", "group")):
        with pytest.raises(SpecRefusedError, match=words):
            await site.submitter_by_ssh().find(user, NAME)
    with pytest.raises(SchedulerError, match="sudo does not let"):
        await site.submitter_by_ssh().find("nosuchuser", NAME)
    assert await site.submitter_by_ssh().find("alice", NAME) is None


@pytest.mark.parametrize(
    "command",
    [
        "id",
        "/bin/sh -c 'touch /tmp/nearfield-was-here'",
        "nearfield-gateway/1 as alice; id",
        "$(touch /tmp/nearfield-was-here)",
        "internal-sftp",
    ],
)
def test_a_command_is_refused_whatever_it_is(site: Any, command: str) -> None:
    done = by_hand(site, "nfgate@127.0.0.1", command, text="nearfield-gateway/1 as alice\n{}")
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"nearfield-gateway: refused: no command is taken here" in done.stderr
    assert not Path("/tmp/nearfield-was-here").exists()


def test_no_files_no_terminal_no_environment(site: Any) -> None:
    sftp = by_hand(site, "-s", "nfgate@127.0.0.1", "sftp")
    assert sftp.returncode != 0
    assert sftp.stdout == b""
    terminal = by_hand(site, "-tt", "nfgate@127.0.0.1", text="nearfield-gateway/1 shell\n")
    assert b"PTY allocation request failed" in terminal.stderr
    assert terminal.stdout == b""
    request = wire.request("find", "lab", name=NAME)
    variable = by_hand(
        site,
        *("-o", "SetEnv=PYTHONPATH=/tmp PYTHONSTARTUP=/tmp/x LD_PRELOAD=/tmp/x.so"),
        "nfgate@127.0.0.1",
        text=f"nearfield-gateway/1 as alice\n{request}",
    )
    assert wire.read_answer(variable.stdout.decode()) is None


def test_ports_are_not_forwarded(site: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as target:
        local = free_port()
        there = target.getsockname()[1]
        argv = ["-N", "-L", f"127.0.0.1:{local}:127.0.0.1:{there}", "nfgate@127.0.0.1"]
        host = site.host
        own = [str(site.ssh), "-F", "/dev/null", "-i", str(host.key), "-p", str(host.port)]
        own += ["-o", f"UserKnownHostsFile={host.known_hosts}", "-o", "BatchMode=yes"]
        forward = subprocess.Popen([*own, *argv], stderr=subprocess.PIPE)
        try:
            end = time.monotonic() + 10
            while True:  # ssh itself listens; it is the other side that does not go on
                try:
                    asked = socket.create_connection(("127.0.0.1", local), timeout=5)
                    break
                except OSError:
                    assert time.monotonic() < end
                    assert forward.poll() is None
                    time.sleep(0.05)
            with asked:
                asked.settimeout(10)
                assert asked.recv(1) == b""
            target.settimeout(0.3)
            with pytest.raises(TimeoutError):
                target.accept()
        finally:
            forward.terminate()
            words = forward.communicate(timeout=10)[1]
    assert b"administratively prohibited" in words
    backward = by_hand(
        site, "-N", "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1", "nfgate@127.0.0.1"
    )
    assert b"remote port forwarding failed" in backward.stderr


async def test_queries_that_do_more_than_read_are_refused(site: Any) -> None:
    queries = site.submitter_by_ssh().queries
    done = await queries.ask("sinfo", "-hN", "-o", "%N", seconds=15)
    assert "na1" in done.out.split()
    for command, *args in (
        ("scancel", "1"),
        ("sbatch", "--wrap=id"),
        ("scontrol", "update", "jobid=1", "timelimit=0"),
        ("sacct", "-f", "/etc/shadow"),
        ("squeue", "-i", "1"),
    ):
        with pytest.raises(SpecRefusedError):
            await queries.ask(command, *args, seconds=5)


def test_the_first_line_can_name_nothing_but_a_user(site: Any) -> None:
    for line in ("as -u", "as #0", "as alice -u root", "as alice;id", "as ../x", "query lab lab2"):
        done = by_hand(site, "nfgate@127.0.0.1", text=f"nearfield-gateway/1 {line}\n{{}}")
        assert done.returncode == 2, line
        assert b"refused" in done.stderr


@pytest.fixture
def job(site: Any, idle: Any) -> Iterator[JobId]:
    number = idle.sbatch("alice", "--mem=50", f"--job-name={NAME}", script="sleep 60")
    idle.wait_job(number, {"RUNNING"})
    yield JobId(cluster="lab", user="alice", number=number)


async def assert_no_answer(site: Any, job: JobId, words: str) -> None:
    scheduler = site.scheduler("ssh")
    told = (await scheduler.status([job]))[job]
    assert told.state is JobState.UNKNOWN
    assert words in told.reason
    for ask in (
        scheduler.find("alice", NAME),
        scheduler.cancel(job),
        scheduler.submit(site.spec()),
        scheduler.access("alice", ["/etc/passwd"]),
    ):
        with pytest.raises(SchedulerUnavailableError, match=words):
            await ask


async def test_another_host_key_is_no_answer(site: Any, job: JobId) -> None:
    site.host.know(site.host.other_key())
    try:
        await assert_no_answer(site, job, "Host key verification failed")
    finally:
        site.host.know(site.host.folder / "host_key.pub")
    told = (await site.scheduler("ssh").status([job]))[job]
    assert told.state is JobState.RUNNING


async def test_a_submit_host_that_is_down_is_no_answer(site: Any, job: JobId) -> None:
    site.host.stop()
    try:
        await assert_no_answer(site, job, "Connection refused")
    finally:
        site.host.start()
    assert (await site.scheduler("ssh").status([job]))[job].state is JobState.RUNNING


async def test_a_key_that_is_not_known_there_is_no_answer(site: Any, job: JobId) -> None:
    keys = site.host.folder / "authorized_keys"
    kept = keys.read_text()
    keys.write_text("")
    try:
        await assert_no_answer(site, job, "Permission denied")
    finally:
        keys.write_text(kept)


async def test_questions_share_a_connection(site: Any) -> None:
    log = site.host.folder / "sshd.log"
    queries = site.submitter_by_ssh().queries
    before = log.read_text().count("Accepted publickey for nfgate")
    for _ in range(5):
        assert (await queries.ask("squeue", "-h", seconds=15)).code == 0
    answers = await asyncio.gather(*(queries.ask("squeue", "-h", seconds=15) for _ in range(8)))
    assert [answer.code for answer in answers] == [0] * 8
    assert log.read_text().count("Accepted publickey for nfgate") == before + 1
