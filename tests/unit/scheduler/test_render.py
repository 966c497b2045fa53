"""The batch script: a fixed body with one quoted value."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from nearfield.scheduler import CommandTask, DatasetLink, Hardware, JobSpec, Mount, SessionTask
from nearfield.scheduler.node.batch import END_OF_PROGRAM, START
from nearfield.scheduler.render import sbatch_argv, script

SPEC = JobSpec(
    name="nf-1", cluster="lab", user="alice", profile="p", task=CommandTask(argv=("/bin/true",))
)
SESSIONS = Path("/home/alice/sessions")
BIN = Path("/usr/bin")
BODY = script(SPEC, SESSIONS / "nf-1")
EXEC = next(i for i, line in enumerate(BODY.splitlines()) if line.startswith("exec "))

word = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,20}", fullmatch=True)
# Marked, so that a short text is not found in the script by chance.
text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40).map("☃{}".format)
path = text.map(lambda t: "/" + t.replace("..", "__").strip("/"))
optional = st.none() | word
hardware = st.builds(
    Hardware,
    partition=optional,
    account=optional,
    qos=optional,
    reservation=optional,
    cores=st.integers(1, 4096),
    memory_mb=st.integers(1, 10**7),
    minutes=st.integers(1, 10**5),
    gpus=st.integers(0, 64),
    gpu_type=optional,
    constraint=st.none() | st.from_regex(r"[a-z][a-z0-9&|()\[\]*,.-]{0,20}", fullmatch=True),
)
session = st.builds(
    lambda env, pid, folder, file, target: SessionTask(
        environment={"NEARFIELD_X": SecretStr(env)},
        datasets=(
            DatasetLink(
                pid=pid, slug="slug-of-a-dataset", folder=folder, files=(folder + "/" + file,)
            ),
        ),
        mounts=(Mount(source=folder, target=target),),
        command=("server", pid),
        image=folder,
        apptainer=target,
    ),
    text,
    text,
    path,
    text.map(lambda t: t.replace("..", "__")),
    path,
)
command = st.builds(
    lambda argv, env: CommandTask(argv=tuple(argv), environment={"NEARFIELD_X": SecretStr(env)}),
    st.lists(text, min_size=1, max_size=4),
    text,
)
specs = st.builds(
    JobSpec,
    name=st.from_regex(r"nf-[a-z0-9]{1,20}", fullmatch=True),
    cluster=word,
    user=st.just("alice"),
    profile=st.just("p"),
    hardware=hardware,
    task=session | command,
)


def of_the_user(spec: JobSpec) -> set[str]:
    task = spec.task
    found = {v.get_secret_value() for v in task.environment.values()}
    if isinstance(task, CommandTask):
        return found | set(task.argv)
    for link in task.datasets:
        found |= {link.pid, link.slug, link.folder, *link.files}
    return found | {m.target for m in task.mounts}


@settings(max_examples=150)
@given(specs)
def test_nothing_of_the_user_is_in_script_or_arguments(spec: JobSpec) -> None:
    rendered = script(spec, SESSIONS / spec.name)
    argv = sbatch_argv(spec, BIN, SESSIONS / spec.name)
    lines = rendered.splitlines()
    fixed = BODY.splitlines()
    # One line differs between all scripts, and shlex reads it back as what it must be.
    assert [*lines[:EXEC], *lines[EXEC + 1 :]] == [*fixed[:EXEC], *fixed[EXEC + 1 :]]
    words = shlex.split(lines[EXEC].removesuffix(f" <<'{END_OF_PROGRAM}'"))
    assert words == ["exec", "$python", "-I", "-c", START, str(SESSIONS / spec.name)]
    for value in of_the_user(spec):
        assert value not in rendered
        assert not any(value in argument for argument in argv)


@given(specs)
def test_every_argument_is_one_option(spec: JobSpec) -> None:
    program, *options = sbatch_argv(spec, BIN, SESSIONS / spec.name)
    assert program == "/usr/bin/sbatch"
    assert all(option.startswith("--") for option in options)
    assert not any("\n" in option or "\0" in option for option in options)


def test_a_home_with_odd_characters_is_quoted() -> None:
    folder = Path('/home/o\'neil $(id) "x"/nf-1')
    lines = script(SPEC, folder).splitlines()
    assert shlex.split(lines[EXEC].split(" <<")[0])[-1] == str(folder)
    assert f"--chdir={folder}" in sbatch_argv(SPEC, BIN, folder)


def test_the_shell_accepts_the_script() -> None:
    subprocess.run(["/bin/sh", "-n"], input=BODY, text=True, check=True)


def test_the_end_mark_is_there_once() -> None:
    assert BODY.splitlines().count(END_OF_PROGRAM) == 1
    assert BODY.endswith(f"\n{END_OF_PROGRAM}\n")


def test_no_sbatch_directive_is_in_the_script() -> None:
    assert "#SBATCH" not in BODY


def test_what_is_left_open_is_left_out() -> None:
    argv = sbatch_argv(SPEC, BIN, SESSIONS / "nf-1")
    for option in ("partition", "account", "qos", "gres", "reservation", "constraint", "comment"):
        assert not any(a.startswith(f"--{option}") for a in argv)
    assert "--no-requeue" in argv


def test_the_limits_of_the_hub_are_not_the_jobs() -> None:
    assert "--propagate=NONE" in sbatch_argv(SPEC, BIN, SESSIONS / "nf-1")


@pytest.mark.parametrize(
    ("minutes", "grace", "option"),
    [
        (60, 60, ["--signal=B:USR2@60"]),
        (60, 0, []),
        (4, 60, ["--signal=B:USR2@60"]),
        (3, 60, []),
        (20, 600, []),
    ],
)
def test_the_signal_ahead_of_the_limit(minutes: int, grace: int, option: list[str]) -> None:
    task = SessionTask(command=("server",), grace_seconds=grace)
    spec = SPEC.model_copy(update={"task": task, "hardware": Hardware(minutes=minutes)})
    argv = sbatch_argv(spec, BIN, SESSIONS / "nf-1")
    assert [word for word in argv if word.startswith("--signal")] == option


def test_a_command_is_not_told_of_its_limit() -> None:
    argv = sbatch_argv(SPEC, BIN, SESSIONS / "nf-1")
    assert not [word for word in argv if word.startswith("--signal")]
