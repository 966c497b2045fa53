"""The ssh submitter: its command line, what each failure means, and the gateway's own checks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearfield import gateway
from nearfield.config import Cluster, Config, SshConfig, parse_config
from nearfield.errors import (
    ConfigError,
    SchedulerError,
    SchedulerUnavailableError,
    SpecRefusedError,
)
from nearfield.scheduler import open_scheduler, reading, wire
from nearfield.scheduler.ssh import Gateway, SshQueries, SshSubmitter

NO_ANSWER = SchedulerUnavailableError
NAME = "nearfield-00000000000000aa"
SETTINGS = SshConfig(
    host="login.example", user="nearfield-gate", key=Path("/k"), known_hosts=Path("/h")
)


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[Any]:
    """Makes a Gateway whose ssh is a script."""

    def make(body: str, **more: Any) -> Gateway:
        program = tmp_path / "ssh"
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
        return Gateway(SETTINGS, ssh=str(program), **more)

    yield make


async def test_nothing_of_a_request_is_in_the_arguments(ssh: Any, tmp_path: Path) -> None:
    body = (
        f"printf '%s\\n' \"$@\" > {tmp_path}/argv; cat > {tmp_path}/in; echo '{wire.answer(None)}'"
    )
    assert await SshSubmitter("lab", ssh(body)).find("alice", NAME) is None
    argv = (tmp_path / "argv").read_text().splitlines()
    assert argv[-2:] == ["--", "login.example"]
    options = {argv[i + 1] for i, word in enumerate(argv) if word == "-o"}
    assert {
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "ForwardAgent=no",
        "ClearAllForwardings=yes",
        "UserKnownHostsFile=/h",
        "IdentityFile=/k",
    } <= options
    assert not any("alice" in word or NAME in word for word in argv)
    first, rest = (tmp_path / "in").read_text().split("\n", 1)
    assert first == "nearfield-gateway/1 as alice"
    assert json.loads(rest)["name"] == NAME


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ("echo 'Host key verification failed.' >&2; exit 255", NO_ANSWER, "known_hosts"),
        ("echo 'Permission denied (publickey).' >&2; exit 255", NO_ANSWER, "authorized_keys"),
        ("echo 'connect to host x: Connection refused' >&2; exit 255", NO_ANSWER, "refused"),
        ("exit 255", NO_ANSWER, "connection broke"),
        ("exec sleep 20", NO_ANSWER, "submit host login.example did not answer"),
        ("echo 'sudo: a password is required' >&2; exit 1", SchedulerError, "sudoers needs"),
        ("echo 'nearfield-gateway: refused: no' >&2; exit 2", SchedulerError, "refused: no"),
        ("exit 0", NO_ANSWER, "failed as"),
        ("exit 137", NO_ANSWER, "137"),
    ],
)  # fmt: skip
async def test_what_goes_wrong(ssh: Any, body: str, error: type[Exception], words: str) -> None:
    reached = ssh(body, seconds=0.2 if "sleep" in body else 10)
    with pytest.raises(error, match=words) as caught:
        await SshSubmitter("lab", reached).find("alice", NAME)
    assert type(caught.value) is error
    await reached.exchange.settled()


async def test_a_query_that_nobody_answers_is_no_empty_queue(ssh: Any) -> None:
    for body in ("exit 255", "exit 0", 'echo \'{"ok": true, "result": {}}\'', "echo x"):
        with pytest.raises(SchedulerUnavailableError):
            await SshQueries("lab", ssh(body)).ask("squeue", "-h", seconds=5)
    answer = wire.answer({"code": 0, "out": "7|RUNNING\n", "err": ""})
    done = await SshQueries("lab", ssh(f"cat >/dev/null; printf '%s' '{answer}'")).ask(
        "squeue", "-h", seconds=5
    )
    assert (done.code, done.out) == (0, "7|RUNNING\n")


def test_the_configuration_of_ssh() -> None:
    one = {"host": "h", "user": "g", "key": "/k", "known_hosts": "/h"}
    lab = Cluster.model_validate({"submitter": "ssh", "ssh": one})
    config = Config(clusters={"local": Cluster(scheduler="local"), "lab": lab})
    assert open_scheduler(config, "lab").cluster == "lab"
    for change in (
        {"host": "-oProxyCommand=id"},
        {"host": "a b"},
        {"user": "-x"},
        {"key": "/k /etc/x"},
        {"key": "relative"},
        {"known_hosts": "/h%u"},
        {"port": 0},
        {"extra": 1},
    ):
        text = json.dumps({"clusters": {"lab": {"submitter": "ssh", "ssh": one | change}}})
        with pytest.raises(ConfigError, match=next(iter(change))):
            parse_config(text)
    with pytest.raises(ConfigError, match="needs ssh"):
        parse_config("clusters: {lab: {submitter: ssh}}")


# ------------------------------------------------------------------ the gateway


def run_gateway(text: bytes, env: dict[str, str] | None = None, *args: str) -> Any:
    return subprocess.run(
        [sys.executable, "-I", "-m", "nearfield.gateway", *args],
        input=text,
        env=env or {},
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("text", "env", "words"),
    [
        (b"nearfield-gateway/1 as alice\n", {"SSH_ORIGINAL_COMMAND": "id"}, "no command"),
        (b"nearfield-gateway/1 as alice\n", {"SSH_ORIGINAL_COMMAND": ""}, "no command"),
        (b"", {}, "no first line"),
        (b"nearfield-gateway/1 as alice", {}, "no first line"),
        (b"x" * 10_000, {}, "no first line"),
        (b"nearfield-gateway/2 as alice\n", {}, "same release"),
        (b"nearfield-gateway/1 as root;id\n", {}, "neither"),
        (b"nearfield-gateway/1 as -u\n", {}, "neither"),
        (b"nearfield-gateway/1 as #0\n", {}, "neither"),
        (b"nearfield-gateway/1 as alice bob\n", {}, "neither"),
        (b"nearfield-gateway/1 as \xc3\xa4\n", {}, "neither"),
        (b"nearfield-gateway/1 query ../x\n", {}, "neither"),
        (b"nearfield-gateway/1 shell\n", {}, "neither"),
    ],
    ids=range(13),
)
def test_the_gateway_refuses(text: bytes, env: dict[str, str], words: str) -> None:
    done = run_gateway(text, env)
    assert done.returncode == gateway.REFUSED
    assert done.stdout == b""
    assert done.stderr.decode().startswith(f"{wire.GATEWAY_NAME}: refused: ")
    assert words in done.stderr.decode()


def test_the_gateway_takes_its_line_and_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.write(write, b"nearfield-gateway/1 as alice\n{secret}")
    assert gateway.read_line(read) == "nearfield-gateway/1 as alice"
    assert os.read(read, 100) == b"{secret}"
    ran: list[Any] = []
    monkeypatch.setattr(os, "execve", lambda *what: ran.append(what))
    gateway.become_launcher("alice")
    [(program, argv, env)] = ran
    assert (program, argv[:-1]) == ("/usr/bin/sudo", ["/usr/bin/sudo", "-n", "-u", "alice", "--"])
    assert argv[-1] == f"{sys.prefix}/bin/nearfield-launch"
    assert set(env) == {"PATH", "LANG"}


def test_gateway_and_hub_use_the_same_words() -> None:
    assert gateway._FIRST == wire.GATEWAY


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("squeue", ("-h", "-t", "all", "-j", "1,2", "-o", "%A|%T")),
        ("squeue", ("--start", "--format=%S", "-u", "alice")),
        ("sinfo", ("-hN", "-o", "%N %T")),
        ("sacct", ("-nPX", "-j", "1", "-o", "JobIDRaw")),
        ("sdiag", ()),
        ("scontrol", ("-o", "show", "job", "17")),
        ("scontrol", ("show", "partition")),
        ("scontrol", ("ping",)),
    ],
)
def test_what_reads_is_passed_on(command: str, args: tuple[str, ...]) -> None:
    reading.check_arguments(command, args)


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("sbatch", ()),
        ("scancel", ("1",)),
        ("../../bin/sh", ()),
        ("sacct", ("-f", "/etc/passwd")),
        ("sacct", ("--file=/etc/passwd",)),
        ("squeue", ("-i", "1")),
        ("squeue", ("--iterate=1",)),
        ("squeue", ("-",)),
        ("sdiag", ("-r",)),
        ("sdiag", ("--reset",)),
        ("scontrol", ()),
        ("scontrol", ("update", "job", "1")),
        ("scontrol", ("show", "job", "1", "update")),
        ("scontrol", ("show", "hostnames", "x")),
        ("scontrol", ("show", "job", "1;id")),
        ("scontrol", ("-u", "0", "show", "job")),
        ("squeue", ("a\nb",)),
    ],
)
def test_what_could_do_more_than_read_is_refused(command: str, args: tuple[str, ...]) -> None:
    with pytest.raises(SpecRefusedError):
        reading.check_arguments(command, args)


@given(st.binary(max_size=200))
def test_any_bytes_are_no_query(raw: bytes) -> None:
    with pytest.raises(SpecRefusedError):
        reading.answer_query("lab", raw)
