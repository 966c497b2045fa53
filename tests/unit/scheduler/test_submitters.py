"""Who asks Slurm for a user: itself, or a launcher whose words are not trusted."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from nearfield.errors import SchedulerError, SchedulerUnavailableError, SubmitError
from nearfield.scheduler import JobState, JobStatus, PathAccess
from nearfield.scheduler.submitters import DirectSubmitter, SudoSubmitter
from standins.commands import ME, SPEC, Commands, says


async def test_direct_acts_for_itself_only(commands: Commands) -> None:
    submitter = DirectSubmitter(commands(squeue="echo 5"))
    assert await submitter.find(ME, "nf-1") == "5"
    with pytest.raises(SchedulerError, match=f"runs as {ME} and cannot act for somebody"):
        await submitter.find("somebody", "nf-1")


def sudo(commands: Commands, body: str, **more: float) -> SudoSubmitter:
    cluster = commands(sudo=body)
    return SudoSubmitter("lab", Path("/opt/launch"), sudo=cluster.bin / "sudo", **more)  # type: ignore[arg-type]


async def test_the_request_goes_to_standard_input(commands: Commands, tmp_path: Path) -> None:
    body = (
        f'printf "%s " "$@" > {tmp_path}/argv; env > {tmp_path}/env; cat > {tmp_path}/in; '
        + says('{"ok": true, "result": "77"}')
    )
    assert await sudo(commands, body).submit(SPEC) == "77"
    assert (tmp_path / "argv").read_text() == f"-n -u {ME} -- /opt/launch "
    assert '"verb": "submit"' in (tmp_path / "in").read_text()
    assert "PYTHON" not in (tmp_path / "env").read_text()


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ("echo 'sudo: a password is required' >&2; exit 1", SchedulerError, "sudoers needs"),
        ("echo 'Sorry, jhub is not allowed to execute' >&2; exit 1", SchedulerError, "INPUT: /opt"),
        ("echo 'Traceback: oops' >&2; exit 1", SchedulerUnavailableError, "oops"),
        ("exit 0", SchedulerUnavailableError, "failed as"),
        ("echo '<html>'", SchedulerUnavailableError, "cannot be read"),
        ("echo '{\"ok\": false}'", SchedulerUnavailableError, "cannot be read"),
        ("echo '[]'", SchedulerUnavailableError, "cannot be read"),
        ("head -c 200000 /dev/zero | tr '\\0' '['", SchedulerUnavailableError, "cannot be read"),
        (says('{"ok": false, "error": {"kind": "SubmitError", "message": "no", "hint": null}}'),
         SubmitError, "no"),
        (says('{"ok": false, "error": {"kind": "SystemExit", "message": "no"}}'),
         SchedulerError, "no"),
        (says('{"ok": false, "error": {"kind": "ConfigError", "message": "line 3"}}'),
         SchedulerUnavailableError, "line 3"),
        ("exec sleep 20", SchedulerUnavailableError, "did not answer within 0.2 s"),
    ],
)  # fmt: skip
async def test_what_goes_wrong_with_the_launcher(
    commands: Commands, body: str, error: type[Exception], words: str
) -> None:
    submitter = sudo(commands, body, seconds=0.2 if "sleep" in body else 10)
    with pytest.raises(error, match=words) as caught:
        await submitter.find(ME, "nf-1")
    assert type(caught.value) is error
    await submitter.exchange.settled()


@pytest.mark.parametrize(
    "told",
    [
        '{"state": "running", "host": "evil.example:80/x?"}',
        '{"state": "running", "host": "user@evil"}',
        '{"state": "running", "host": "na1\\n"}',
        '{"state": "running", "host": ""}',
        '{"state": "running", "host": "[::1]"}',
        '{"state": "running", "host": "../x"}',
        '{"state": "running", "host": 7}',
        '{"state": "flying"}',
        '"running"',
        "null",
    ],
)
async def test_a_launchers_word_that_is_none_is_unknown(commands: Commands, told: str) -> None:
    body = says(f'{{"ok": true, "result": {{"7": {told}, "9": {{"state": "running"}}}}}}')
    found = await sudo(commands, body).status(ME, ["7", "8"])
    assert list(found) == ["7"]
    assert (found["7"].state, found["7"].host) == (JobState.UNKNOWN, None)


async def test_a_launchers_host_is_taken(commands: Commands) -> None:
    body = says('{"ok": true, "result": {"7": {"state": "running", "host": "na-1.lab"}}}')
    found = await sudo(commands, body).status(ME, ["7"])
    assert found["7"] == JobStatus(state=JobState.RUNNING, host="na-1.lab")
    with pytest.raises(SchedulerUnavailableError, match="holds no states"):
        await sudo(commands, says('{"ok": true, "result": ["7"]}')).status(ME, ["7"])


def answers(commands: Commands, tmp_path: Path, result: object) -> SudoSubmitter:
    (tmp_path / "answer").write_text(json.dumps({"ok": True, "result": result}))
    return sudo(commands, f"exec cat {tmp_path}/answer")


@pytest.mark.parametrize("told", ["", "7,8", "7\n", "--all", "7_1", 7, ["7"], {"7": 1}, "1" * 99])
async def test_a_number_that_is_none_is_no_job(
    commands: Commands, tmp_path: Path, told: object
) -> None:
    submitter = answers(commands, tmp_path, told)
    with pytest.raises(SchedulerUnavailableError, match="no job number"):
        await submitter.submit(SPEC)
    with pytest.raises(SchedulerUnavailableError, match="no job number"):
        await submitter.find(ME, "nf-1")


@pytest.mark.parametrize(
    "told",
    [None, [], "yes", 7, {"/a": "maybe"}, {"/a": []}, {"/a": None}, {"/a": {}}, {"/a": True}],
)
async def test_what_is_no_answer_about_paths(
    commands: Commands, tmp_path: Path, told: object
) -> None:
    with pytest.raises(SchedulerUnavailableError, match="the launcher's answer"):
        await answers(commands, tmp_path, told).access(ME, ["/a", "/b"])


async def test_of_paths_it_is_heard_about_those_that_were_asked_for(
    commands: Commands, tmp_path: Path
) -> None:
    told = {"/a": "no", "/c": "yes", "/d": "nonsense"}
    found = await answers(commands, tmp_path, told).access(ME, ["/a", "/b"])
    assert found == {"/a": PathAccess.NO, "/b": PathAccess.UNKNOWN}


@pytest.mark.parametrize(
    "when", ["0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", 4.2e9, -1e10]
)
async def test_times_and_codes_that_nothing_can_be_made_of_are_left_out(
    commands: Commands, tmp_path: Path, when: object
) -> None:
    forged = {"state": "running", "started": when, "ends": when, "exit_code": 10**30}
    forged |= {"reason": "a\nb\x1b[2J", "name": "n\r"}
    found = await answers(commands, tmp_path, {"7": forged}).status(ME, ["7"])
    assert found["7"] == JobStatus(state=JobState.RUNNING, reason="a b [2J", name="n")
    if isinstance(when, str):
        with pytest.raises(SchedulerUnavailableError, match="names no time"):
            await answers(commands, tmp_path, when.removesuffix("Z")).estimate(SPEC)


async def test_words_of_a_launcher_are_one_line(commands: Commands, tmp_path: Path) -> None:
    error = {"kind": "SubmitError", "message": "no\nevent=fine\x1b[2J", "hint": "h\n"}
    with pytest.raises(SubmitError) as caught:
        await sudo(commands, says(json.dumps({"ok": False, "error": error}))).find(ME, "nf-1")
    assert (caught.value.message, caught.value.hint) == ("no event=fine [2J", "h")
    with pytest.raises(SchedulerUnavailableError) as failed:
        await sudo(commands, "printf 'a\\033b\\nc' >&2; exit 1").find(ME, "nf-1")
    assert failed.value.message.endswith(": a b c")
    image = {"path": "p\n", "digest": "d", "verdict": "\x1b", "signers": [], "warnings": ["w\nw"]}
    kept = await answers(commands, tmp_path, image).image(ME, "nf-1")
    assert (kept["path"], kept["verdict"], kept["warnings"]) == ("p", "", ["w w"])


async def test_of_a_launchers_words_no_more_is_kept_than_is_shown(
    commands: Commands, tmp_path: Path
) -> None:
    log = "\n".join(["\x1b[2J" + "y" * 9000] * 500)
    shown = await answers(commands, tmp_path, log).log_tail(ME, "nf-1", 30)
    assert shown.split("\n") == ["[2J" + "y" * 497] * 30
    assert not await answers(commands, tmp_path, {"x": 1}).log_tail(ME, "nf-1", 30)
    image: dict[str, Any] = dict.fromkeys(("path", "digest", "verdict"), "z" * 9000)
    image |= {"signers": ["s" * 999] * 99, "warnings": ["w" * 9999] * 99, "more": "m" * 9000}
    kept = await answers(commands, tmp_path, image).image(ME, "nf-1")
    assert list(kept) == ["path", "digest", "verdict", "signers", "warnings"]
    assert len(json.dumps(kept)) < 16_000
    for none in ({}, [], "x", None, 7, image | {"signers": 7}):
        assert await answers(commands, tmp_path, none).image(ME, "nf-1") == {}
    long = {"7": {"state": "running", "reason": "r" * 9000}}
    found = await answers(commands, tmp_path, long).status(ME, ["7"])
    assert len(found["7"].reason) == 500
    error = {"kind": "SubmitError", "message": "m" * 9000, "hint": "h" * 9000}
    with pytest.raises(SubmitError) as caught:
        await sudo(commands, says(json.dumps({"ok": False, "error": error}))).find(ME, "nf-1")
    assert (len(caught.value.message), len(caught.value.hint or "")) == (2000, 2000)


async def test_not_too_many_at_once(commands: Commands, tmp_path: Path) -> None:
    """Nobody else begins while two have not ended."""
    body = f"echo x >> {tmp_path}/calls; until [ -e {tmp_path}/go ]; do sleep 0.01; done; " + says(
        '{"ok": true, "result": null}'
    )
    submitter = sudo(commands, body, at_once=2)
    before = children()
    finds = asyncio.gather(*(submitter.find(f"u{n}", "nf-1") for n in range(6)))
    for _ in range(100):  # whoever may begin has begun
        await asyncio.sleep(0)
    assert children() == before + 2
    (tmp_path / "go").touch()
    await finds
    assert (tmp_path / "calls").read_text() == "x\n" * 6


def children() -> int:
    """Processes that this one has started and not yet collected."""
    return sum(len(told.read_text().split()) for told in Path("/proc/self/task").glob("*/children"))
